/** A list of checks, of the source or of doctor: one sentence each, the worst marked. */
import type { SourceCheck } from "../../syncer/host.ts";
import { type Output, plural } from "../output.ts";

const COLOURS = { ok: "green", warn: "yellow", fail: "red" } as const;

export function printChecks(output: Output, checks: readonly SourceCheck[]): void {
  const width = Math.max(0, ...checks.map((check) => check.name.length));
  for (const { name, level, message } of checks) {
    output.line(
      `${output.paint(COLOURS[level], level.padEnd(4))}  ${name.padEnd(width)}  ${message}`,
    );
  }
  const count = (level: SourceCheck["level"]): number =>
    checks.filter((check) => check.level === level).length;
  output.line(`${plural(count("fail"), "failure")}, ${plural(count("warn"), "warning")}`);
}

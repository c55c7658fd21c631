/** `binraft log verify`: offline, reads every byte of the log and says whether it is whole. */
import type { Command } from "commander";
import { BinraftError } from "../../base/errors.ts";
import { DiskError } from "../../platform/disk.ts";
import { CliError, ExitCode } from "../context.ts";
import { formatBytes, formatDuration, type Output, plural } from "../output.ts";
import { trySettings } from "../settings.ts";
import { describeStartError } from "../start-error.ts";
import { act, type Verb, type VerbTable } from "../verb.ts";
import { type LogReport, verifyLog } from "../verify-log.ts";

const DEFAULT_DATA_DIR = "./data";

export function addLogVerbs(program: Command, table: VerbTable): void {
  const log = program.command("log").description("the log on this machine's disk");
  log
    .command("verify")
    .argument("[DATA_DIR]", "data directory of a stopped node; the configured one by default")
    .description("read all of it, check every checksum, change nothing")
    .action(
      act(table, async (verb, dir) => {
        const report = await verify(verb, dir);
        verb.output.result(report, () => print(verb.output, report));
        if (report.segments.some(({ verdict }) => verdict === "damaged" || verdict === "missing")) {
          verb.exit = ExitCode.FAILED;
        }
      }),
    );
}

async function verify(verb: Verb, dir: string | undefined): Promise<LogReport> {
  const { platform } = verb.context;
  const path =
    dir ?? (await trySettings(verb.context, verb.options))?.config.node.dataDir ?? DEFAULT_DATA_DIR;
  const disk = platform.disk(path);
  const nothing = new CliError(
    ExitCode.FAILED,
    "BR1104",
    `"${disk.root}" holds no log: there is no manifest`,
    "name the data directory of a node",
  );
  // Opening a disk makes its directory: look first, a mistyped name must not leave one behind.
  if (!(await hasManifest(verb, disk.root))) throw nothing;
  try {
    const report = await verifyLog(disk, platform.clock, platform.crypto.crc32);
    if (report === null) throw nothing;
    return report;
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (error instanceof DiskError && error.code === "ELOCKED") {
      const message = `A node is running on "${disk.root}": its log can be verified while it is stopped`;
      throw new BinraftError("BR1101", message, "stop the node, or verify a copy of the directory");
    }
    throw describeStartError(error);
  }
}

async function hasManifest(verb: Verb, root: string): Promise<boolean> {
  for (const slot of ["MANIFEST.0", "MANIFEST.1"]) {
    try {
      await verb.context.platform.process.readTextFile(`${root}/${slot}`);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOENT") throw describeStartError(error);
    }
  }
  return false;
}

function print(output: Output, report: LogReport): void {
  output.table(
    ["SEGMENT", "ENTRIES", "BATCHES", "BYTES", "VERDICT"],
    report.segments.map((one) => [
      one.path,
      `${one.firstIndex}-${one.lastIndex}`,
      one.batches,
      one.bytes,
      one.verdict,
    ]),
  );
  for (const { path, findings } of report.segments) {
    for (const finding of findings) output.line(`${path}: ${finding}`);
  }
  const bad = report.segments.filter(
    ({ verdict }) => verdict === "damaged" || verdict === "missing",
  ).length;
  const bytes = report.segments.reduce((sum, one) => sum + one.bytes, 0);
  const extent = `${plural(report.segments.length, "segment")}, ${formatBytes(bytes)}, ${formatDuration(report.ms)}`;
  output.line(
    bad === 0
      ? `${output.paint("green", "The log is whole")}: ${extent}`
      : `${output.paint("red", "The log is damaged")} in ${bad} of ${extent}`,
  );
}

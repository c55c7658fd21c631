/** What a verb would do that gives something up for good, and the command that does it. */
import { ExitCode } from "../context.ts";
import type { Verb } from "../verb.ts";

/** Prints instead of doing it; the verb ends with 2. */
export function explain(
  verb: Verb,
  facts: Readonly<Record<string, string>>,
  effect: string,
  command: string,
): void {
  const { output } = verb;
  output.result({ ...facts, effect, command, code: "BR5002" }, () => {
    output.facts(
      Object.entries(facts).map(([name, fact]) => [name, fact === "" ? "nothing" : fact] as const),
    );
    output.line(effect);
    output.line("Nothing was changed. To do it:");
    output.line(`  ${command}`);
  });
  verb.exit = ExitCode.USAGE;
}

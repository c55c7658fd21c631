/** `binraft binlog`: the files as replicas see them. */
import type { Command } from "commander";
import type { BinlogDocument } from "../../admin/schema.ts";
import type { GlobalOptions } from "../context.ts";
import { formatBytes, plural } from "../output.ts";
import { saveDownload } from "../save-download.ts";
import { act, type VerbTable } from "../verb.ts";

interface ExportOptions extends GlobalOptions {
  readonly output?: string;
  readonly force?: boolean;
}

interface PurgeOptions extends GlobalOptions {
  readonly to: string;
  readonly dryRun?: boolean;
}

export function addBinlogVerbs(program: Command, table: VerbTable): void {
  const binlog = program.command("binlog").description("the binlog files");
  binlog
    .command("list")
    .description("list them, the oldest first")
    .action(
      act(table, async (verb) => {
        const answer = await (await verb.connect()).get<{ items: BinlogDocument[] }>("/v1/binlogs");
        const { output } = verb;
        output.result(answer, () => {
          if (answer.items.length === 0) return output.line("No file yet");
          output.table(
            ["NAME", "BYTES", "STATE", "PARTIAL", "FIRST EVENT", "LAST EVENT", "AT THE SOURCE"],
            answer.items.map((file) => [
              file.name,
              file.sizeBytes,
              file.state,
              file.partial,
              file.firstTime,
              file.lastTime,
              file.sourceName === file.name ? "same" : file.sourceName,
            ]),
          );
        });
      }),
    );
  binlog
    .command("export")
    .argument("<NAME>")
    .option("--output <PATH>", "where to write it; ./NAME by default")
    .option("--force", "replace a file that is there")
    .description("write a file's bytes, as the source has them")
    .action(
      act<ExportOptions>(table, async (verb, name) => {
        const target = verb.options.output ?? name!.replaceAll("/", "_");
        const node = await verb.connect();
        const path = `/v1/binlogs/${encodeURIComponent(name!)}/raw`;
        const bytes = await saveDownload(verb, node.download(path), target, verb.options.force);
        const { output } = verb;
        output.result({ name, path: target, bytes }, () =>
          output.line(`Wrote ${formatBytes(bytes)} to "${target}"`),
        );
      }),
    );
  binlog
    .command("purge")
    .requiredOption("--to <NAME>", "the first file to keep")
    .option("--dry-run", "only show what would be dropped")
    .description("drop whole files before the named one, on every node")
    .action(
      act<PurgeOptions>(table, async (verb) => {
        const { to, dryRun } = verb.options;
        const node = await verb.connect();
        const body = { to, dryRun: dryRun === true };
        const answer = await node.send<{ purged: string[] }>("POST", "/v1/binlogs/purge", body);
        const { output } = verb;
        output.result(answer, () => {
          const what = dryRun === true ? "Would drop" : "Dropped";
          output.line(`${what} ${plural(answer.purged.length, "file")}`);
          for (const name of answer.purged) output.line(`  ${name}`);
        });
      }),
    );
}

/**
 * `binraft recover`, `backup`, `restore`: what is left when a quorum is lost for good, and what to have
 * before that happens (docs/07-operations.md, runbooks). Recover and restore work on a stopped node.
 */
import type { Command } from "commander";
import { VERSION } from "../../base/version.ts";
import {
  type LogSummary,
  type RefoundParts,
  refound,
  restore,
  summarize,
} from "../../cluster/refound.ts";
import { KNOWN_FORMAT } from "../../cluster/version-gate.ts";
import { formatHostPort } from "../../config/kinds.ts";
import type { Disk, DiskFile } from "../../platform/disk.ts";
import type { Platform } from "../../platform/platform.ts";
import { CliError, ExitCode, type GlobalOptions } from "../context.ts";
import { createLogger } from "../logger.ts";
import { formatBytes } from "../output.ts";
import { saveDownload } from "../save-download.ts";
import { loadSettings } from "../settings.ts";
import { describeStartError } from "../start-error.ts";
import { act, type Verb, type VerbTable } from "../verb.ts";

const READ_BYTES = 1024 * 1024;

interface RecoverOptions extends GlobalOptions {
  readonly confirm?: string;
  readonly salvage?: boolean;
}

interface BackupOptions extends GlobalOptions {
  readonly force?: boolean;
}

export function addRecoverVerbs(program: Command, table: VerbTable): void {
  program
    .command("recover")
    .description("when a quorum is lost for good: make a new cluster of this stopped node's log")
    .option(
      "--confirm <CLUSTER_ID>",
      "do it; without, only show what the log holds and what may be lost",
    )
    .option(
      "--salvage",
      "the log is damaged: keep what lies before the damage, drop what is behind it",
    )
    .action(act<RecoverOptions>(table, recover));
  program
    .command("backup")
    .argument("<FILE>")
    .option("--force", "replace a file that is there")
    .description("write all that a node has, from its oldest binlog file on, into one file")
    .action(
      act<BackupOptions>(table, async (verb, file) => {
        const node = await verb.connect();
        const { force } = verb.options;
        const bytes = await saveDownload(verb, node.download("/v1/backup"), file!, force);
        verb.output.result({ path: file, bytes }, () =>
          verb.output.line(`Wrote ${formatBytes(bytes)} to "${file}"`),
        );
      }),
    );
  program
    .command("restore")
    .argument("<FILE>", "made by binraft backup")
    .description("make a new cluster of one in the configured, empty data directory")
    .action(act(table, restoreFrom));
}

async function recover(verb: Verb<RecoverOptions>): Promise<void> {
  const { output, options } = verb;
  const parts = await partsOf(verb, options.salvage === true);
  await mustHaveLog(verb, parts.dataDir);
  const summary = await summarize(parts).catch(describe);
  const { clusterId, commit, lastIndex, members } = summary;
  if (options.confirm === undefined) {
    const salvage = options.salvage === true || summary.damaged > 0 ? " --salvage" : "";
    const command = `binraft recover${salvage} --confirm ${clusterId}`;
    output.result({ ...summary, command, code: "BR5002" }, () => {
      printSummary(verb, summary);
      output.line(
        "A new cluster of this node alone would be made of it. What others acknowledged and this log " +
          `does not hold is lost: all behind entry ${lastIndex}, if there was anything. Its last ` +
          `${lastIndex - commit} entries, which this node does not know to be committed, would count as ` +
          "committed. The other old members are not let in any more: give them empty directories, and " +
          "they join.",
      );
      output.line("Nothing was changed. To do it:");
      output.line(`  ${command}`);
    });
    verb.exit = ExitCode.USAGE;
    return;
  }
  if (options.confirm !== clusterId) {
    const message = "The confirmation is not this cluster's id";
    throw new CliError(ExitCode.FAILED, "BR5002", message, `--confirm ${clusterId}`);
  }
  const made = await refound(parts).catch(describe);
  output.result({ clusterId: made, was: clusterId, dropped: members.map(({ id }) => id) }, () => {
    output.line(
      `This node is cluster ${made} now, alone. Start it; then let the others join with empty directories. ` +
        "Its syncer is stopped: binraft syncer start once no node of the old cluster runs any more.",
    );
  });
}

function printSummary({ output }: Verb, summary: LogSummary): void {
  output.facts([
    ["cluster", summary.clusterId],
    ["this node", `id ${summary.raftId}, disk ${summary.diskUuid}`],
    [
      "members",
      summary.members.map(({ id, name }) => `${name} (${id})`).join(", ") || "this node alone",
    ],
    [
      "log",
      `entries ${summary.firstIndex} to ${summary.lastIndex}, the last of term ${summary.lastTerm}`,
    ],
    ...(summary.damaged > 0
      ? [
          [
            "damaged",
            `${summary.damaged} entries behind these cannot be used and are dropped`,
          ] as const,
        ]
      : []),
    ["committed", `up to entry ${summary.commit}, as far as this node knows`],
    ["executed", summary.executed === "" ? "nothing" : summary.executed],
  ]);
}

async function restoreFrom(verb: Verb, file: string | undefined): Promise<void> {
  const parts = await partsOf(verb, false);
  const { platform } = verb.context;
  const disk = platform.disk(parts.dataDir);
  if ((await disk.list("")).some((name) => name.startsWith("MANIFEST"))) {
    const message = `"${disk.root}" holds a log already: a backup is restored into an empty directory`;
    throw new CliError(
      ExitCode.FAILED,
      "BR1104",
      message,
      "move it away, or set another node.data_dir",
    );
  }
  const chunks = fileChunks(platform, file!);
  const clusterId = await restore(parts, chunks)
    .catch(async (error: unknown) => {
      await clear(disk);
      return describe(error);
    })
    // A backup is not read beyond its end: its file is closed by this.
    .finally(() => chunks.return());
  verb.output.result({ clusterId, dataDir: disk.root }, () => {
    verb.output.line(
      `Restored into "${disk.root}" as cluster ${clusterId}. Start it; then let others join. Its syncer is stopped: ` +
        "binraft syncer start once nothing else acknowledges for the source.",
    );
  });
}

async function partsOf({ context, options }: Verb, salvage: boolean): Promise<RefoundParts> {
  const { platform } = context;
  const { config } = await loadSettings(context, options);
  const { cluster, listen } = config;
  return {
    platform,
    logger: await createLogger({ process: platform.process, debug: options.debug === true }),
    dataDir: config.node.dataDir,
    segmentBytes: config.storage.segmentBytes,
    salvage,
    announcement: {
      name: config.node.name,
      region: config.node.region,
      peer: cluster === null ? "" : formatHostPort(cluster.advertise),
      mysql: formatHostPort(listen.mysql),
      admin: `${config.admin.tlsCert === null ? "http" : "https"}://${formatHostPort(listen.admin)}`,
      version: VERSION,
      formatVersion: KNOWN_FORMAT,
    },
  };
}

async function mustHaveLog({ context }: Verb, dataDir: string): Promise<void> {
  const disk = context.platform.disk(dataDir);
  if ((await disk.list("")).some((name) => name.startsWith("MANIFEST"))) return;
  const message = `"${disk.root}" holds no log: there is no manifest`;
  throw new CliError(
    ExitCode.FAILED,
    "BR1104",
    message,
    "set node.data_dir to the directory of the stopped node",
  );
}

function describe(error: unknown): never {
  throw describeStartError(error);
}

/** Half a log would look like one that is to be started. */
async function clear(disk: Disk): Promise<void> {
  for (const name of await disk.list("log")) await disk.remove(`log/${name}`);
  for (const name of await disk.list("")) if (isOfTheLog(name)) await disk.remove(name);
}

function isOfTheLog(name: string): boolean {
  return name === "log" || name.startsWith("MANIFEST") || name.startsWith("node.");
}

async function* fileChunks(
  platform: Platform,
  path: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const slash = path.lastIndexOf("/");
  const disk = platform.disk(slash < 0 ? "." : path.slice(0, slash + 1));
  let file: DiskFile;
  try {
    file = await disk.open(path.slice(slash + 1), "r");
  } catch (error) {
    throw new CliError(ExitCode.FAILED, "BR1104", `Cannot read "${path}"`, "correct the path", {
      cause: error,
    });
  }
  try {
    for (let at = 0; ; ) {
      const bytes = new Uint8Array(READ_BYTES);
      const length = await file.read(at, bytes);
      if (length === 0) return;
      at += length;
      yield bytes.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

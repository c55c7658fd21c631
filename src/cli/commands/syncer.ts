/** `binraft syncer`: where the binlog comes from, and what only an operator may decide. */
import type { Command } from "commander";
import type { SyncerDocument } from "../../admin/schema.ts";
import type { NodeStatus, SourceChange } from "../../cluster/operations.ts";
import { parseSourceUrl } from "../../config/source-url.ts";
import type { SourceCheck } from "../../syncer/host.ts";
import { CliError, ExitCode, type GlobalOptions } from "../context.ts";
import { readNamedFile, readOwnSecret } from "../secrets.ts";
import { act, type Verb, type VerbTable } from "../verb.ts";
import { printChecks } from "./checks.ts";
import { explain } from "./explain.ts";
import { printSyncer } from "./status.ts";

interface SetOptions extends GlobalOptions {
  readonly passwordFile?: string;
  readonly passwordRef?: string;
  readonly tls?: SourceChange["tls"] & string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly publicKeyFile?: string;
  readonly semiSync?: string;
  readonly serverId?: string;
  readonly nativePassword?: string;
  readonly keepConnection?: string;
  readonly region?: string;
}

interface ConfirmOptions extends GlobalOptions {
  readonly confirm?: string;
}

export function addSyncerVerbs(program: Command, table: VerbTable): void {
  const syncer = program.command("syncer").description("the connection to the source");
  syncer
    .command("show")
    .description("show its state, the reason and the next command")
    .action(
      act(table, async (verb) => {
        const shown = await (await verb.connect()).get<SyncerDocument>("/v1/syncer");
        show(verb, shown);
      }),
    );
  syncer
    .command("check")
    .description("connect to the source and say what is wrong; changes nothing")
    .action(
      act(table, async (verb) => {
        const answer = await (await verb.connect()).send<{ items: SourceCheck[] }>(
          "POST",
          "/v1/syncer/check",
        );
        verb.output.result(answer, () => printChecks(verb.output, answer.items));
        if (answer.items.some((check) => check.level === "fail")) verb.exit = ExitCode.FAILED;
      }),
    );
  addSet(syncer, table);
  for (const [name, text] of [
    ["start", "pull from the source, also after a restart"],
    ["stop", "do not pull, also after a restart"],
  ] as const) {
    syncer
      .command(name)
      .description(text)
      .action(
        act(table, async (verb) => {
          show(
            verb,
            await (await verb.connect()).send<SyncerDocument>("POST", `/v1/syncer/${name}`),
          );
        }),
      );
  }
  addDecisions(syncer, table);
}

function show(verb: Verb, document: SyncerDocument): void {
  const warnings = document.checks.filter((check) => check.level === "warn");
  verb.output.result(document, () => {
    printSyncer(verb.output, document);
    if (warnings.length > 0) printChecks(verb.output, warnings);
  });
}

function addSet(syncer: Command, table: VerbTable): void {
  syncer
    .command("set")
    .argument("[URL]", "mysql://user@host:3306")
    .option("--password-file <PATH>", "file with the password, read here, sealed by the node")
    .option(
      "--password-ref <REF>",
      "where each node finds it: file:PATH in node.secrets_dir, env:BINRAFT_…",
    )
    .option("--tls <MODE>", "disabled, verify-ca or verify-identity")
    .option("--tls-ca <PATH>", "PEM file of the CA, read here as the next three are")
    .option("--tls-cert <PATH>", "PEM file of the certificate that binraft shows")
    .option("--tls-key <PATH>", "PEM file of its key")
    .option("--public-key-file <PATH>", "PEM file of the source's RSA key")
    .option("--semi-sync <true|false>", "acknowledge transactions")
    .option("--server-id <NUMBER>", "server_id that the source sees")
    .option("--native-password <true|false>", "allow mysql_native_password")
    .option("--keep-connection <true|false>", "each voter keeps one connection logged in")
    .option("--region <REGION>", 'where it is: the leader goes there; "" for nowhere')
    .description("point to a source, or change how; what is left out stays")
    .action(
      act<SetOptions>(table, async (verb, url) => {
        const node = await verb.connect();
        show(
          verb,
          await node.send<SyncerDocument>("PUT", "/v1/syncer", await sourceChange(verb, url)),
        );
      }),
    );
}

const PEM_OPTIONS = {
  tlsCa: "--tls-ca",
  tlsCert: "--tls-cert",
  tlsKey: "--tls-key",
  publicKeyFile: "--public-key-file",
} as const;

/** Files are read here: the node may be on another machine. */
async function sourceChange(
  verb: Verb<SetOptions>,
  url: string | undefined,
): Promise<Record<string, unknown>> {
  const { options } = verb;
  const { process } = verb.context.platform;
  const change: Record<string, unknown> = {};
  if (url !== undefined) {
    const address = parseSourceUrl(url);
    if (typeof address === "string") throw usage(`Invalid URL: ${address}`);
    Object.assign(change, address);
  }
  if (options.passwordFile !== undefined)
    change["password"] = await readOwnSecret(process, options.passwordFile, "--password-file");
  if (options.passwordRef !== undefined) change["passwordRef"] = options.passwordRef;
  for (const [name, option] of Object.entries(PEM_OPTIONS)) {
    const given = options[name as keyof typeof PEM_OPTIONS];
    if (given !== undefined)
      change[name] = given === "" ? null : await readNamedFile(process, given, option);
  }
  if (options.tls !== undefined) change["tls"] = options.tls;
  for (const name of ["semiSync", "nativePassword", "keepConnection"] as const) {
    const given = options[name];
    if (given !== undefined && given !== "true" && given !== "false")
      throw usage(`Invalid value "${given}": expected true or false`);
    if (given !== undefined) change[name] = given === "true";
  }
  if (options.region !== undefined)
    change["region"] = options.region === "" ? null : options.region;
  if (options.serverId !== undefined) change["serverId"] = Number(options.serverId);
  if (Object.keys(change).length === 0)
    throw usage("Nothing to change: give a URL or an option (binraft syncer set --help)");
  return change;
}

function addDecisions(syncer: Command, table: VerbTable): void {
  syncer
    .command("accept-gap")
    .argument(
      "[SET]",
      "the GTIDs that are lost to replicas; what the syncer shows as missing by default",
    )
    .option("--confirm <CLUSTER_ID>", "do it; without, only show what it would do")
    .description("give up transactions that the source has purged")
    .action(
      act<ConfirmOptions>(table, async (verb, given) => {
        const node = await verb.connect();
        const { confirm } = verb.options;
        const status = await node.get<NodeStatus>("/v1/status");
        const gtids = given ?? status.syncer.gtids["missing"] ?? "";
        if (gtids === "") throw usage("There is no gap: name the GTID set that is to be given up");
        if (confirm !== undefined) {
          return show(
            verb,
            await node.send<SyncerDocument>("POST", "/v1/syncer/accept-gap", { gtids, confirm }),
          );
        }
        const command = `binraft syncer accept-gap '${gtids}' --confirm ${status.clusterId}`;
        const effect =
          "These transactions count as executed and purged from then on: no replica gets them, and " +
          "one that lacks them gets error 1236.";
        explain(
          verb,
          { gtids, executed: status.stream.executed, purged: status.stream.purged },
          effect,
          command,
        );
      }),
    );
  addConfirmed(syncer, table, {
    name: "accept-unproved",
    description: "vouch for a source that has purged what would prove its history",
    effect:
      "The syncer goes on as the GTID sets say. If the source was put back to an earlier moment and gave " +
      "used numbers to other transactions, replicas get a mix of both histories: be sure that it was not.",
    sets: ({ syncer, stream }) => ({ ...syncer.gtids, executed: stream.executed }),
  });
  addConfirmed(syncer, table, {
    name: "new-timeline",
    description: "begin anew with the present source",
    effect:
      "The stream begins anew as with an empty log: replicas of the present one have to be " +
      "rebuilt. Its files stay and can be exported.",
    sets: ({ stream }) => ({ executed: stream.executed, purged: stream.purged }),
  });
}

interface Decision {
  readonly name: string;
  readonly description: string;
  readonly effect: string;
  /** What it is about. */
  readonly sets: (status: NodeStatus) => Readonly<Record<string, string>>;
}

/** A verb that only explains itself until the cluster is named. */
function addConfirmed(syncer: Command, table: VerbTable, decision: Decision): void {
  const { name, description, effect, sets } = decision;
  syncer
    .command(name)
    .option("--confirm <CLUSTER_ID>", "do it; without, only show what it would do")
    .description(description)
    .action(
      act<ConfirmOptions>(table, async (verb) => {
        const node = await verb.connect();
        const { confirm } = verb.options;
        if (confirm !== undefined) {
          const path = `/v1/syncer/${name}`;
          return show(verb, await node.send<SyncerDocument>("POST", path, { confirm }));
        }
        const status = await node.get<NodeStatus>("/v1/status");
        const command = `binraft syncer ${name} --confirm ${status.clusterId}`;
        explain(verb, sets(status), effect, command);
      }),
    );
}

function usage(message: string): CliError {
  return new CliError(ExitCode.USAGE, "BR5003", message);
}

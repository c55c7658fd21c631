/**
 * The command line: which verbs there are, and how an error becomes a sentence and an exit code
 * (0 ok, 1 failed, 2 usage, 3 unreachable, 4 no quorum). What a verb does is in commands/.
 */
import { Command, CommanderError } from "commander";
import { BinraftError } from "../base/errors.ts";
import { printable } from "../base/logger.ts";
import { VERSION } from "../base/version.ts";
import { ConfigError } from "../config/load.ts";
import { addAccountVerbs } from "./commands/account.ts";
import { addBinlogVerbs } from "./commands/binlog.ts";
import { addClusterVerbs } from "./commands/cluster.ts";
import { addDoctorVerb } from "./commands/doctor.ts";
import { addLogVerbs } from "./commands/log.ts";
import { addMemberVerbs } from "./commands/member.ts";
import { addRecoverVerbs } from "./commands/recover.ts";
import { addReplicaVerbs } from "./commands/replica.ts";
import { addServerVerbs } from "./commands/server.ts";
import { addStatusVerb } from "./commands/status.ts";
import { addSyncerVerbs } from "./commands/syncer.ts";
import { type CliContext, CliError, ExitCode, type GlobalOptions } from "./context.ts";
import { addConfigFlags } from "./settings.ts";
import { runStart } from "./start.ts";
import { act, type VerbTable } from "./verb.ts";

/** Runs what the process's arguments say. Never rejects; the caller exits with the result. */
export async function runCli(context: CliContext): Promise<ExitCode> {
  const { process } = context.platform;
  let exit: ExitCode = ExitCode.OK;
  const program = buildProgram({ context, done: (code) => (exit = code) });
  try {
    // The demo has options of its own.
    if (process.argv[0] === "demo") {
      const { demo } = await context.demo();
      return (await demo(process.argv.slice(1))) as ExitCode;
    }
    await program.parseAsync([...process.argv], { from: "user" });
    return exit;
  } catch (error) {
    return report(context, error, process.argv.includes("--debug"));
  }
}

/** Also used to generate the reference page. */
export function buildProgram(table: VerbTable): Command {
  const { process } = table.context.platform;
  const program = new Command("binraft")
    .description(
      "A Raft-replicated MySQL binlog server: pulls one source once, serves its replicas",
    )
    .option("--config <PATH>", "configuration file; ./binraft.toml if it is there")
    .option("--server <URL>", "the node to talk to (BINRAFT_URL); http://127.0.0.1:8306 by default")
    .option(
      "--token <TOKEN>",
      "its admin token (BINRAFT_TOKEN); read from the data directory by default",
    )
    .option("--json", "print JSON")
    .option("--debug", "print where errors come from, and log more")
    .version(VERSION, "--version", "print the version")
    .showHelpAfterError("(binraft --help shows the verbs)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => process.stdout.write(text),
      writeErr: (text) => process.stderr.write(text.replace(/^error: /, "binraft: ")),
    });
  const start = program
    .command("start")
    .description("run a node until SIGTERM or SIGINT")
    .option("--bootstrap", "an empty data directory becomes a cluster of one that others can join");
  addConfigFlags(start).action(
    act<GlobalOptions>(table, async (verb) => {
      verb.exit = await runStart(verb.context, verb.options);
    }),
  );
  program
    .command("demo")
    .description("run a node with real MySQL servers around it")
    .allowUnknownOption();
  addStatusVerb(program, table);
  addMemberVerbs(program, table);
  addClusterVerbs(program, table);
  addSyncerVerbs(program, table);
  addServerVerbs(program, table);
  addReplicaVerbs(program, table);
  addAccountVerbs(program, table);
  addBinlogVerbs(program, table);
  addLogVerbs(program, table);
  addRecoverVerbs(program, table);
  addDoctorVerb(program, table);
  program
    .command("version")
    .description("print the version")
    .action(
      act<GlobalOptions>(table, async ({ output, context }) => {
        const { runtime } = context.platform.process;
        output.result({ version: VERSION, runtime }, () =>
          output.line(`binraft ${VERSION} on ${runtime}`),
        );
      }),
    );
  return program;
}

function report(context: CliContext, error: unknown, debug: boolean): ExitCode {
  const { stderr } = context.platform.process;
  const say = (text: string): void => stderr.write(`binraft: ${text}\n`);
  // Commander has said it already, help and version included.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.OK : ExitCode.USAGE;
  if (error instanceof ConfigError) {
    for (const problem of error.problems) say(`${problem.message} (${problem.code})`);
    return ExitCode.USAGE;
  }
  const known = error instanceof CliError || error instanceof BinraftError;
  const message = error instanceof Error ? error.message : String(error);
  say(`${printable(message, 4096)}${known ? ` (${error.code})` : ""}`);
  if (known && error.next !== "") stderr.write(`  next: ${error.next}\n`);
  if (!known) stderr.write("  next: run it again with --debug and report what it prints\n");
  if (debug && error instanceof Error) stderr.write(`${traceOf(error)}\n`);
  return error instanceof CliError ? error.exit : ExitCode.FAILED;
}

function traceOf(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by: ${traceOf(error.cause)}` : own;
}

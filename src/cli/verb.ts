/** What a verb gets when it runs: options, output, and a node to talk to when it asks for one. */
import type { Command } from "commander";
import { type AdminClient, connectToNode } from "./client.ts";
import { type CliContext, ExitCode, type GlobalOptions } from "./context.ts";
import { Output } from "./output.ts";

export class Verb<Options extends GlobalOptions = GlobalOptions> {
  readonly context: CliContext;
  readonly options: Options;
  readonly output: Output;
  exit: ExitCode = ExitCode.OK;

  constructor(context: CliContext, options: Options) {
    this.context = context;
    this.options = options;
    this.output = new Output(context.platform.process, options.json === true);
  }

  connect(): Promise<AdminClient> {
    return connectToNode(this.context, this.options);
  }
}

export interface VerbTable {
  readonly context: CliContext;
  /** Told the exit code of the verb that ran. */
  readonly done: (code: ExitCode) => void;
}

/** Binds what a verb does to its place in the command line. */
export function act<Options extends GlobalOptions>(
  table: VerbTable,
  run: (verb: Verb<Options>, ...args: string[]) => Promise<void>,
): (this: Command, ...args: unknown[]) => Promise<void> {
  return async function (this: Command, ...args: unknown[]) {
    const verb = new Verb<Options>(table.context, this.optsWithGlobals());
    await run(verb, ...(args.filter((arg) => typeof arg === "string") as string[]));
    table.done(verb.exit);
  };
}

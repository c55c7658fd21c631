/**
 * The configuration as the command line sees it: options as flags, and a lenient look at the file
 * for verbs that only want to know where the node is.
 */
import { type Command, Option as CommandOption } from "commander";
import { ConfigError, type Loaded, loadConfig } from "../config/load.ts";
import { flagName, OPTIONS, optionName } from "../config/options.ts";
import type { CliContext, GlobalOptions } from "./context.ts";

/** Adds a flag for every option of the configuration. */
export function addConfigFlags(command: Command): Command {
  for (const option of OPTIONS) {
    const standard = option.standard === null ? "" : ` (default: ${option.standard})`;
    const flag = new CommandOption(
      `${flagName(option)} <${option.kind.label}>`,
      option.help + standard,
    );
    command.addOption(flag);
  }
  return command;
}

/** The configuration for this command line. Rejects with ConfigError. */
export function loadSettings(
  { platform, hosting }: CliContext,
  options: GlobalOptions,
): Promise<Loaded> {
  const flags = new Map<string, string>();
  const given = options as Readonly<Record<string, unknown>>;
  for (const option of OPTIONS) {
    const value = given[camelCase(flagName(option).slice(2))];
    if (typeof value === "string") flags.set(optionName(option), value);
  }
  return loadConfig({
    process: platform.process,
    disk: (root) => platform.disk(root),
    flags,
    file: options.config ?? null,
    hosting: hosting(platform.process.env),
  });
}

/** Null when the configuration cannot be used; verbs that only talk to a node go on without. */
export async function trySettings(
  context: CliContext,
  options: GlobalOptions,
): Promise<Loaded | null> {
  try {
    return await loadSettings(context, options);
  } catch (error) {
    if (error instanceof ConfigError && options.config === undefined) return null;
    throw error;
  }
}

/** As commander names the property of "--node-data-dir". */
function camelCase(flag: string): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

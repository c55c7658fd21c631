/**
 * Collects the values of all options: flag, then environment, then `binraft.toml`, then what the
 * provider says at which this process runs, then the default. Nothing unknown is passed over: a key,
 * a section or a BINRAFT_ variable that is no option is an error. All errors are found before any is
 * reported.
 */

import { parse, TomlError } from "smol-toml";
import { BinraftError, type ErrorCode } from "../base/errors.ts";
import { type Disk, DiskError } from "../platform/disk.ts";
import type { Process } from "../platform/process.ts";
import type { HostingSettings } from "./hosting.ts";
import type { NodeConfig } from "./node-config.ts";
import { normalise } from "./normalise.ts";
import type { Option } from "./option.ts";
import {
  ACCOUNT_OPTIONS,
  flagName,
  OPTIONS,
  optionName,
  RESERVED_PREFIX,
  RESERVED_VARIABLES,
  secretVariableName,
  variableName,
} from "./options.ts";
import { didYouMean } from "./suggest.ts";

export interface ConfigProblem {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Everything that is wrong, at once. */
export class ConfigError extends BinraftError {
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems[0]!.code, problems.map((problem) => problem.message).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** One value and where it came from, for messages. */
export interface Given {
  readonly value: unknown;
  readonly origin: string;
  /** Relative paths of the file are relative to the file. */
  readonly fromFile: boolean;
}

export interface AccountGiven {
  readonly passwordFile: string;
  readonly native: boolean;
  readonly metadata: boolean;
}

export interface Collected {
  readonly values: Map<string, Given>;
  readonly accounts: Map<string, AccountGiven>;
  /** Folder of the file, "" when there is none. */
  readonly folder: string;
  readonly problems: ConfigProblem[];
}

export interface LoadOptions {
  readonly process: Pick<Process, "env" | "readTextFile" | "hostname">;
  /** Makes a path absolute. */
  readonly disk: (root: string) => Pick<Disk, "root">;
  /** Values of flags by option name, such as "node.name". */
  readonly flags: ReadonlyMap<string, string>;
  /** The file that the caller named; null takes ./binraft.toml if it is there. */
  readonly file: string | null;
  /** Null where no provider is known. */
  readonly hosting: HostingSettings | null;
}

export interface Loaded {
  readonly config: NodeConfig;
  /** The file that was read, "" when none was. */
  readonly file: string;
}

const DEFAULT_FILE = "binraft.toml";

/** Rejects with ConfigError. */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const path = options.file ?? DEFAULT_FILE;
  const text = await readConfigFile(options, path);
  const collected: Collected = {
    values: new Map(),
    accounts: new Map(),
    folder: text === null ? "" : folderOf(path),
    problems: [],
  };
  if (options.hosting !== null) collectHosting(collected, options.hosting);
  if (text !== null) collectFile(collected, path, text);
  collectEnvironment(collected, options.process.env);
  for (const [name, value] of options.flags) {
    const option = OPTIONS.find((one) => optionName(one) === name)!;
    take(collected, option, value, `flag ${flagName(option)}`, false);
  }
  const config = normalise(collected, options);
  if (config === null || collected.problems.length > 0) throw new ConfigError(collected.problems);
  return { config, file: text === null ? "" : path };
}

function collectHosting(collected: Collected, { provider, values }: HostingSettings): void {
  for (const [name, value] of Object.entries(values)) {
    const option = OPTIONS.find((one) => optionName(one) === name)!;
    take(collected, option, value, provider, false);
  }
}

async function readConfigFile(options: LoadOptions, path: string): Promise<string | null> {
  try {
    return await options.process.readTextFile(path);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (options.file === null && error.code === "ENOENT") return null;
    const message = `Cannot read the configuration file "${path}": ${error.code}; correct --config or its permissions`;
    throw new ConfigError([{ code: "BR1001", message }]);
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash + 1);
}

function collectFile(collected: Collected, path: string, text: string): void {
  let tables: Record<string, unknown>;
  try {
    tables = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const why = error.message.split("\n")[0]!.replace("Invalid TOML document: ", "");
    const message = `Cannot read "${path}" as TOML: line ${error.line}, column ${error.column}: ${why}`;
    throw new ConfigError([{ code: "BR1002", message }]);
  }
  const sections = new Set([...OPTIONS.map((option) => option.section), "accounts"]);
  for (const [section, table] of Object.entries(tables)) {
    if (!sections.has(section)) {
      unknown(
        collected,
        `Unknown section "[${section}]" in "${path}"${didYouMean(section, sections)}`,
      );
    } else if (!isTable(table)) {
      unknown(
        collected,
        `"${section}" in "${path}" is a value: write it as a section, [${section}]`,
      );
    } else if (section === "accounts") {
      collectAccounts(collected, path, table);
    } else {
      const known = OPTIONS.filter((option) => option.section === section);
      collectTable(collected, path, section, table, known, (option, value) =>
        take(collected, option, value, `"${path}"`, true),
      );
    }
  }
}

function collectTable(
  collected: Collected,
  path: string,
  where: string,
  table: Record<string, unknown>,
  known: readonly Option[],
  found: (option: Option, value: unknown) => void,
): void {
  for (const [key, value] of Object.entries(table)) {
    const option = known.find((one) => one.key === key);
    if (option !== undefined) {
      found(option, value);
      continue;
    }
    const secret = known.find((one) => one.secret && one.key === `${key}_file`);
    const hint =
      secret === undefined
        ? didYouMean(
            key,
            known.map((one) => one.key),
          )
        : `; secrets do not stand in this file: name a file with "${secret.key}"`;
    unknown(collected, `Unknown key "${where}.${key}" in "${path}"${hint}`);
  }
}

function collectAccounts(collected: Collected, path: string, table: Record<string, unknown>): void {
  for (const [name, entry] of Object.entries(table)) {
    const where = `accounts.${name}`;
    if (!isTable(entry)) {
      const example = `${name} = { password_file = "…" }`;
      problem(collected, "BR1004", `Invalid value for ${where} in "${path}": expected ${example}`);
      continue;
    }
    const values = new Map<string, unknown>();
    collectTable(collected, path, where, entry, ACCOUNT_OPTIONS, (option, value) => {
      const checked = check(collected, option, value, `${where}.${option.key}`, `"${path}"`);
      if (checked !== undefined) values.set(option.key, checked);
    });
    if (name === "" || name.length > 32) {
      problem(
        collected,
        "BR1004",
        `Invalid account name "${name}" in "${path}": expected 1 to 32 characters`,
      );
    }
    const passwordFile = values.get("password_file");
    if (typeof passwordFile !== "string") {
      problem(
        collected,
        "BR1005",
        `Account "${name}" in "${path}" has no password: name a file with password_file`,
      );
      continue;
    }
    collected.accounts.set(name, {
      passwordFile,
      native: values.get("native") === true,
      metadata: values.get("metadata") === true,
    });
  }
}

function collectEnvironment(collected: Collected, env: Process["env"]): void {
  const names = new Map<string, Option>();
  for (const option of OPTIONS) {
    names.set(variableName(option), option);
    if (option.secret) names.set(secretVariableName(option), option);
  }
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith("BINRAFT_") || value === undefined) continue;
    if (RESERVED_VARIABLES.has(name) || name.startsWith(RESERVED_PREFIX)) continue;
    const option = names.get(name);
    if (option === undefined) {
      const hint = name.startsWith("BINRAFT_ACCOUNTS_")
        ? "; accounts stand in the file, or are set with binraft account set"
        : didYouMean(name, [...names.keys(), ...RESERVED_VARIABLES.keys()]);
      unknown(collected, `Unknown variable ${name} in the environment${hint}`);
    } else if (option.secret && name === secretVariableName(option)) {
      if (env[variableName(option)] !== undefined) {
        const message = `Both ${name} and ${variableName(option)} are set in the environment: unset one`;
        problem(collected, "BR1005", message);
      }
      // The value stays in the environment: only its name goes on from here.
      collected.values.set(`${optionName(option)}!`, {
        value: name,
        origin: name,
        fromFile: false,
      });
    } else {
      take(collected, option, value, `variable ${name}`, false);
    }
  }
}

function take(
  collected: Collected,
  option: Option,
  value: unknown,
  origin: string,
  fromFile: boolean,
): void {
  const name = optionName(option);
  const checked = check(collected, option, value, name, origin);
  if (checked === undefined) return;
  collected.values.set(name, { value: checked, origin, fromFile });
  // A flag wins over a secret in the environment.
  if (origin.startsWith("flag")) collected.values.delete(`${name}!`);
}

function check(
  collected: Collected,
  option: Option,
  value: unknown,
  name: string,
  origin: string,
): unknown {
  const parsed = option.kind.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const shown = typeof value === "string" ? value : JSON.stringify(value);
  // What stands where a file's name belongs may be the secret itself.
  const quoted = option.secret ? "" : ` "${withoutPassword(String(shown))}"`;
  const message = `Invalid value${quoted} for ${name} from ${origin}: expected ${option.kind.expected}`;
  problem(collected, "BR1004", message);
  return undefined;
}

/** URLs are shown in messages without what stands between the user's colon and the @. */
export function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^/@:]*):[^@]*@/, "$1:…@");
}

function unknown(collected: Collected, message: string): void {
  problem(collected, "BR1003", message);
}

function problem(collected: Collected, code: ErrorCode, message: string): void {
  collected.problems.push({ code, message });
}

function isTable(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !("toISOString" in value)
  );
}

/**
 * What differs between kinds of server: how a data directory is made and how the programs are
 * called. MySQL 9 (or the server of BINRAFT_MYSQLD) is here; the tests add 5.6 and MariaDB.
 */
import { execFile, execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Command } from "./children.ts";
import type { MysqlPrograms } from "./install.ts";

const run = promisify(execFile);

export interface Flavour {
  /** For messages: "MySQL 9.7.4". */
  readonly label: string;
  /** Makes a data directory with root@localhost without password; it gets no identity yet. */
  initialize(dataDir: string): Promise<void>;
  /** Starts the server; the arguments begin with --no-defaults. */
  server(args: readonly string[]): Command;
  /** A client; the arguments begin with --no-defaults. */
  client(args: readonly string[]): Command;
  /** Always given, before the caller's. */
  readonly serverArgs: readonly string[];
  /** Arguments that switch GTIDs on. */
  readonly gtidArgs: readonly string[];
  /** Where a template of the data directory is kept, so that it is initialised once. */
  readonly templateDir: string;
}

export function mysqlFlavour(programs: MysqlPrograms): Flavour {
  const [major = 0, minor = 0, patch = 0] = programs.version.split(".").map(Number);
  // Came with 8.0.30.
  const redo = major > 8 || minor > 0 || patch >= 30 ? ["--innodb-redo-log-capacity=8M"] : [];
  const sizes = ["--innodb-buffer-pool-size=64M", ...redo];
  return {
    label: `MySQL ${programs.version}`,
    templateDir: path.join(programs.cacheDir, `template-${programs.version}`),
    server: (args) => ({ file: programs.mysqld, args }),
    client: (args) => ({ file: programs.mysql, args }),
    serverArgs: ["--mysqlx=OFF", "--performance-schema=OFF", ...sizes],
    gtidArgs: ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"],
    async initialize(dataDir) {
      const args = ["--no-defaults", `--user=${systemUser()}`, ...sizes];
      args.push(`--datadir=${dataDir}`, "--initialize-insecure", "--disable-log-bin");
      await run(programs.mysqld, args);
    },
  };
}

/** A new data directory: a copy of the template, which is made first if there is none. */
export async function makeDataDir(flavour: Flavour, dataDir: string): Promise<void> {
  if (!existsSync(flavour.templateDir)) await makeTemplate(flavour);
  await fs.cp(flavour.templateDir, dataDir, { recursive: true });
}

async function makeTemplate(flavour: Flavour): Promise<void> {
  const { templateDir } = flavour;
  await fs.mkdir(path.dirname(templateDir), { recursive: true });
  const making = `${templateDir}.${randomUUID()}`;
  try {
    await flavour.initialize(making);
    // It holds the server's UUID: each copy gets its own at its first start.
    await fs.rm(path.join(making, "auto.cnf"), { force: true });
    await fs.rename(making, templateDir);
  } catch (error) {
    await fs.rm(making, { recursive: true, force: true });
    // Another process may have been quicker; then its template is as good as ours.
    if (existsSync(templateDir)) return;
    const detail = (error as { stderr?: string }).stderr || String(error);
    throw new Error(`Cannot initialise a data directory of ${flavour.label}: ${detail}`, {
      cause: error,
    });
  }
}

/** A server that is started as root wants to be told so. */
export function systemUser(): string {
  // Asked of the system: Bun takes $USER for the name, and that may be missing.
  return execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
}

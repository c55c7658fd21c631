/**
 * Where the demo and the tests get a real MySQL from: the newest 9.x of Debian sid, unpacked
 * into `.cache/mysql-9` of the checkout (or a folder you name), or the server that
 * BINRAFT_MYSQLD names. By itself:
 *
 *   node demo/mysql/install.ts [DIR]     installs and prints the version
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { installAptTree } from "./apt-tree.ts";
import { systemUser } from "./flavour.ts";

const run = promisify(execFile);
const PROGRAMS = ["mysqld", "mysql", "mysqladmin", "mysqlbinlog", "mysqldump", "mysqlslap"];
const OLDEST = [8, 0, 26] as const;
const WAY_OUT =
  "set BINRAFT_MYSQLD to the path of a mysqld 8.0.26 or newer, with mysql and mysqlbinlog beside it";

export interface MysqlPrograms {
  readonly mysqld: string;
  readonly mysql: string;
  readonly mysqlbinlog: string;
  readonly mysqldump: string;
  /** "9.7.1" */
  readonly version: string;
  readonly pluginDir: string;
  /** Holds what is made once per version: the template of a data directory. */
  readonly cacheDir: string;
}

export interface InstallOptions {
  readonly dir?: string;
  readonly onProgress?: (line: string) => void;
}

/** The server of BINRAFT_MYSQLD if that is set, else our own, installed when it is missing. */
export async function findMysql(options: InstallOptions = {}): Promise<MysqlPrograms> {
  const given = process.env["BINRAFT_MYSQLD"];
  return given ? useMysql(given) : installMysql(options);
}

export async function installMysql(options: InstallOptions = {}): Promise<MysqlPrograms> {
  const dir = path.resolve(options.dir ?? path.join(cacheRoot(), "mysql-9"));
  await installAptTree({
    dir,
    suite: "sid",
    packages: ["mysql-server-core", "mysql-client-core"],
    programs: PROGRAMS,
    libraryDirs: ["usr/lib/mysql/private"],
    wayOut: WAY_OUT,
    programArgs: (program, root) =>
      program === "mysqld"
        ? [
            `--basedir=${root}/usr`,
            `--lc-messages-dir=${root}/usr/share/mysql`,
            `--plugin-dir=${root}/usr/lib/mysql/plugin`,
            `--character-sets-dir=${root}/usr/share/mysql/charsets`,
            // The built-in folder does not exist here, and mysqld would not start without it.
            "--secure-file-priv=",
          ]
        : [`--plugin-dir=${root}/usr/lib/mysql/plugin`],
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  const at = (name: string): string => path.join(dir, "bin", name);
  return {
    mysqld: at("mysqld"),
    mysql: at("mysql"),
    mysqlbinlog: at("mysqlbinlog"),
    mysqldump: at("mysqldump"),
    version: (await serverVersion(at("mysqld"))).join("."),
    pluginDir: path.join(dir, "root/usr/lib/mysql/plugin"),
    cacheDir: dir,
  };
}

async function useMysql(mysqld: string): Promise<MysqlPrograms> {
  const version = await serverVersion(mysqld);
  const older = OLDEST.findIndex((part, at) => version[at] !== part);
  if (older >= 0 && version[older]! < OLDEST[older]!) {
    throw new Error(
      `MySQL ${version.join(".")} is too old: BINRAFT_MYSQLD must name 8.0.26 or newer`,
    );
  }
  // As root, mysqld answers nothing before it is told which user it may be.
  const flags = ["--no-defaults", `--user=${systemUser()}`, "--verbose", "--help"];
  const help = await run(mysqld, flags, { maxBuffer: 16 * 1024 * 1024 });
  const pluginDir = /^plugin-dir\s+(\S.*)$/m.exec(help.stdout)?.[1]?.trim();
  if (pluginDir === undefined) throw new Error(`Cannot find the plugin folder of ${mysqld}`);
  const text = version.join(".");
  return {
    mysqld,
    mysql: beside(mysqld, "mysql"),
    mysqlbinlog: beside(mysqld, "mysqlbinlog"),
    mysqldump: beside(mysqld, "mysqldump"),
    version: text,
    pluginDir,
    cacheDir: path.join(cacheRoot(), `mysqld-${text}`),
  };
}

/** Beside the server, in the bin beside its sbin, or on PATH. */
function beside(mysqld: string, program: string): string {
  const folder = path.dirname(path.resolve(mysqld));
  const onPath = (process.env["PATH"] ?? "").split(path.delimiter);
  for (const dir of [folder, path.join(folder, "../bin"), ...onPath]) {
    if (dir !== "" && existsSync(path.join(dir, program))) return path.join(dir, program);
  }
  throw new Error(`Cannot find ${program} beside ${mysqld} or on PATH: install MySQL's clients`);
}

async function serverVersion(mysqld: string): Promise<number[]> {
  let text: string;
  try {
    text = (await run(mysqld, ["--no-defaults", "--version"])).stdout;
  } catch (error) {
    throw new Error(`Cannot run ${mysqld}: remove its folder or set BINRAFT_MYSQLD`, {
      cause: error,
    });
  }
  const found = /Ver (\d+)\.(\d+)\.(\d+)/.exec(text);
  if (found === null || /MariaDB/i.test(text)) {
    throw new Error(`Not a MySQL server: ${mysqld} says "${text.trim()}"`);
  }
  return found.slice(1, 4).map(Number);
}

/** `.cache` of the checkout; of the user's home when we are installed as a package. */
export function cacheRoot(): string {
  const project = path.join(import.meta.dirname, "../..");
  const checkout = existsSync(path.join(project, "package-lock.json"));
  return checkout ? path.join(project, ".cache") : path.join(os.homedir(), ".cache/binraft");
}

if (import.meta.main) {
  const dir = process.argv[2];
  const programs = await installMysql({
    ...(dir === undefined ? {} : { dir: await fs.realpath(dir).catch(() => dir) }),
    onProgress: (line) => console.error(line),
  });
  console.log(`MySQL ${programs.version}: ${programs.mysqld}`);
}

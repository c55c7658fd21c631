/**
 * MariaDB of the machine's own Debian release, unpacked privately like MySQL 9, as a replica in
 * tests. It has GTIDs of its own kind, always on; it replicates from MySQL by file and position.
 */
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { installAptTree } from "../../demo/mysql/apt-tree.ts";
import type { Flavour } from "../../demo/mysql/flavour.ts";
import { systemUser } from "../../demo/mysql/flavour.ts";
import { cacheRoot } from "../../demo/mysql/install.ts";
import { bootstrap } from "./mysql56.ts";

const run = promisify(execFile);
const SCRIPTS = [
  "mysql_system_tables.sql",
  "mysql_performance_tables.sql",
  "mysql_system_tables_data.sql",
];

export async function mariadb(): Promise<Flavour> {
  const dir = path.join(cacheRoot(), "mariadb");
  const base = path.join(dir, "root/usr");
  await installAptTree({
    dir,
    packages: ["mariadb-server-core", "mariadb-client-core"],
    programs: ["mariadbd", "mariadb"],
    wayOut: "tests with MariaDB need a Debian machine with a package mirror",
    programArgs: (program, root) =>
      program === "mariadbd"
        ? [`--basedir=${root}/usr`, `--lc-messages-dir=${root}/usr/share/mysql`]
        : [`--character-sets-dir=${root}/usr/share/mysql/charsets`],
  });
  const server = path.join(dir, "bin/mariadbd");
  const said = (await run(server, ["--no-defaults", "--version"])).stdout;
  const version = /Ver (\d+\.\d+\.\d+)/.exec(said)?.[1] ?? "of unknown version";
  return {
    label: `MariaDB ${version}`,
    templateDir: path.join(dir, "template"),
    server: (args) => ({ file: server, args }),
    client: (args) => ({ file: path.join(dir, "bin/mariadb"), args }),
    serverArgs: ["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M"],
    gtidArgs: [],
    async initialize(dataDir) {
      await fs.mkdir(dataDir, { recursive: true });
      const sql = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket = NULL;"];
      for (const name of SCRIPTS) {
        const text = await fs.readFile(path.join(base, "share/mysql", name), "utf8");
        // Rows for this machine's own name: nobody logs in by it.
        sql.push(text.replaceAll(/^.*@current_hostname.*$/gm, ""));
      }
      sql.push("DELETE FROM global_priv WHERE User = '';", "");
      const args = ["--no-defaults", "--bootstrap", `--user=${systemUser()}`];
      args.push(`--datadir=${dataDir}`, "--skip-log-bin", "--innodb-log-file-size=8M");
      await bootstrap(server, args, sql.join("\n"));
    },
  };
}

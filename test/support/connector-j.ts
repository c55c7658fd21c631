/** MariaDB Connector/J of Debian, which asks by SQL; a program of a few lines runs it. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { cacheRoot } from "../../demo/mysql/install.ts";

const run = promisify(execFile);

const JAVA = `
import java.sql.*;
public class Ask {
  public static void main(String[] args) throws Exception {
    try (Connection c = DriverManager.getConnection(args[0], args[1], args[2]); Statement s = c.createStatement()) {
      for (int i = 3; i < args.length; i++) {
        try (ResultSet r = s.executeQuery(args[i])) {
          int columns = r.getMetaData().getColumnCount();
          while (r.next()) {
            StringBuilder line = new StringBuilder();
            for (int at = 1; at <= columns; at++) line.append(r.getString(at)).append('|');
            System.out.println(line);
          }
        }
      }
    }
  }
}`;

interface Server {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Asks both the same; a text when it cannot be had here. */
export async function connectorJ(
  statements: readonly string[],
  theirs: Server,
  ours: Server,
): Promise<string | (() => Promise<string>)> {
  const jar = "usr/share/java/mariadb-java-client.jar";
  const dir = path.join(cacheRoot(), "connector-j");
  try {
    await run("javac", ["-version"]);
  } catch {
    return "skipped: this machine has no JDK";
  }
  if (!existsSync(path.join(dir, "root", jar))) {
    await mkdir(path.join(dir, "root"), { recursive: true });
    await run("apt-get", ["download", "libmariadb-java"], { cwd: dir });
    await run("sh", ["-c", "dpkg-deb -x libmariadb-java_*.deb root"], { cwd: dir });
  }
  const program = path.join(dir, "Ask.java");
  await writeFile(program, JAVA);
  const ask = async (server: Server): Promise<string> => {
    const url = `jdbc:mariadb://${server.host}:${server.port}/?allowPublicKeyRetrieval=true`;
    const args = ["-cp", path.join(dir, "root", jar), program, url, server.user, server.password];
    return (await run("java", [...args, ...statements])).stdout;
  };
  return async () => {
    const [real, answer] = [await ask(theirs), await ask(ours)];
    const lines = real.split("\n").length - 1;
    return real === answer ? `equal: ${lines} lines` : `failed: ${real} | ${answer}`;
  };
}

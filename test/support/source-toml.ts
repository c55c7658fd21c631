/** The [source] section with which a node process pulls from a test's source, over TLS. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { MysqlServer } from "../../demo/mysql/server.ts";
import { SOURCE_USER } from "./local-node.ts";

/** Writes the password file into `folder`. */
export async function sourceToml(
  folder: string,
  source: Pick<MysqlServer, "port" | "binlogDir">,
): Promise<string> {
  const secret = path.join(folder, "source-password");
  await writeFile(secret, SOURCE_USER.password, { mode: 0o600 });
  return `[source]
url = "mysql://${SOURCE_USER.user}@127.0.0.1:${source.port}"
password_file = ${JSON.stringify(secret)}
tls = "verify-ca"
tls_ca = ${JSON.stringify(path.join(source.binlogDir, "ca.pem"))}
`;
}

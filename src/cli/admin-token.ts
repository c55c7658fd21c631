/** The token of the admin API: the operator's, or one made at the first start and kept. */

import { toHex } from "../base/bytes.ts";
import { BinraftError } from "../base/errors.ts";
import type { NodeConfig } from "../config/node-config.ts";
import type { Platform } from "../platform/platform.ts";
import { SECRET_FILE } from "../platform/process.ts";
import { readKept, readSecret, textChunks } from "./secrets.ts";

const LEAST_CHARACTERS = 16;
const TOKEN_BYTES = 32;

export function tokenPath(config: NodeConfig): string {
  return `${config.node.dataDir}/admin-token`;
}

/** Made anew when the kept file is not there; the caller holds the data directory's lock. */
export async function adminToken(platform: Platform, config: NodeConfig): Promise<string> {
  if (config.admin.tokenRef !== null) {
    return checked(await readSecret(platform.process, config.admin.tokenRef, "admin.token_file"));
  }
  const path = tokenPath(config);
  const kept = await readKept(platform.process, path, "the admin token", SECRET_FILE);
  if (kept !== null) return checked(kept.trim());
  const token = toHex(platform.random.bytes(TOKEN_BYTES));
  await platform.process.writeFile(path, textChunks(`${token}\n`), 0o600);
  return token;
}

function checked(token: string): string {
  if (token.length >= LEAST_CHARACTERS && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new BinraftError(
    "BR1006",
    `The admin token is too short or has blanks in it: it needs ${LEAST_CHARACTERS} characters or more`,
    "write 32 random hex digits into the file, for instance of openssl rand -hex 16",
  );
}

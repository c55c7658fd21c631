/**
 * The keys by which secrets in the log are sealed (cluster/seal.ts). In a cluster all nodes have them from the
 * cluster secret; a node of its own keeps one beside the log, and backups leave it out.
 */
import { toHex } from "../base/bytes.ts";
import { type SealKeys, sealKey } from "../cluster/seal.ts";
import type { NodeConfig } from "../config/node-config.ts";
import type { Platform } from "../platform/platform.ts";
import { SECRET_FILE } from "../platform/process.ts";
import { readClusterSecrets } from "./peer-credentials.ts";
import { readKept, textChunks } from "./secrets.ts";

const KEY_BYTES = 32;

export function sealKeys(platform: Platform, config: NodeConfig): SealKeys {
  const { cluster } = config;
  if (cluster === null) return async () => [await ownKey(platform, config)];
  return async () => {
    const secrets = await readClusterSecrets(platform, cluster);
    return secrets.map((secret) => sealKey(platform.crypto, secret));
  };
}

/** Made when it is first wanted. */
async function ownKey(platform: Platform, config: NodeConfig): Promise<Uint8Array> {
  const path = `${config.node.dataDir}/seal-key`;
  const kept = await readKept(platform.process, path, "the key that seals secrets", SECRET_FILE);
  if (kept !== null) return sealKey(platform.crypto, kept.trim());
  const made = toHex(platform.random.bytes(KEY_BYTES));
  await platform.process.writeFile(path, textChunks(`${made}\n`), 0o600);
  return sealKey(platform.crypto, made);
}

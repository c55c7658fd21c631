/**
 * The key from which the looks of unknown accounts are made (mysql/auth/verifier.ts): 32 random
 * bytes in the data directory, made at the first start. With a new one at each start, asking
 * before and after a restart would tell which accounts exist.
 */
import type { Logger } from "../base/logger.ts";
import { type Disk, DiskError } from "../platform/disk.ts";
import type { Random } from "../platform/platform.ts";
import { readFile, writeNewFile } from "../storage/files.ts";

const FILE = "login-key";
const KEY_BYTES = 32;

/** Never rejects for trouble with the disk: the key is then one of this start. */
export async function loginKey(disk: Disk, random: Random, logger: Logger): Promise<Uint8Array> {
  try {
    const kept = await readFile(disk, FILE);
    if (kept !== null && kept.length === KEY_BYTES) return kept;
  } catch (error) {
    return forThisStart(error, random, logger);
  }
  const key = random.bytes(KEY_BYTES);
  try {
    await writeNewFile(disk, FILE, [key]);
  } catch (error) {
    return forThisStart(error, random, logger);
  }
  return key;
}

function forThisStart(error: unknown, random: Random, logger: Logger): Uint8Array {
  if (!(error instanceof DiskError)) throw error;
  logger.warn("The key for logins of unknown accounts cannot be kept over this start", {
    file: FILE,
    reason: error.message,
  });
  return random.bytes(KEY_BYTES);
}

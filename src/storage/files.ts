/** Small whole files of the data directory, written so that a crash leaves the old or the new. */
import { type Disk, DiskError } from "../platform/disk.ts";

/** Null when it does not exist. */
export async function readFile(disk: Disk, path: string): Promise<Uint8Array | null> {
  let file: Awaited<ReturnType<Disk["open"]>>;
  try {
    file = await disk.open(path, "r");
  } catch (error) {
    if (error instanceof DiskError && error.code === "ENOENT") return null;
    throw error;
  }
  try {
    const bytes = new Uint8Array(await file.size());
    const length = await file.read(0, bytes);
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

/** Writes beside, syncs, renames over, syncs the folder. */
export async function writeNewFile(
  disk: Disk,
  path: string,
  parts: readonly Uint8Array[],
): Promise<void> {
  const temporary = `${path}.tmp`;
  await disk.remove(temporary);
  const file = await disk.open(temporary, "create");
  try {
    await file.write(0, parts);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  const slash = path.lastIndexOf("/");
  await disk.syncDir(slash < 0 ? "" : path.slice(0, slash));
}

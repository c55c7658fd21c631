/**
 * Reading and writing files of the data directory: small whole ones, written so that a crash leaves the
 * old or the new, and what can be read of a large one.
 */
import { type Disk, DiskError, type DiskFile } from "../platform/disk.ts";
import { SECTOR_BYTES } from "./format.ts";

/** Stands for bytes that the disk does not give: no CRC covers them, and they do not look unwritten. */
const UNREADABLE = 0xee;
/** A disk that takes seconds for each error is not asked for every sector of a large piece. */
const MAX_READ_ERRORS = 64;

/**
 * As `file.read`, but sectors that the disk cannot read (EIO) come as UNREADABLE bytes. They are damage
 * then like any other, and the rest of the piece is not lost with them. Other errors reject.
 */
export async function readReadable(
  file: DiskFile,
  position: number,
  into: Uint8Array,
): Promise<number> {
  let errors = 0;
  const read = async (from: number, to: number): Promise<number> => {
    try {
      return await file.read(position + from, into.subarray(from, to));
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "EIO") throw error;
    }
    if (++errors > MAX_READ_ERRORS || to - from <= SECTOR_BYTES) {
      into.fill(UNREADABLE, from, to);
      return to - from;
    }
    const half = Math.ceil((from + to) / 2 / SECTOR_BYTES) * SECTOR_BYTES;
    const middle = half < to ? half : from + SECTOR_BYTES;
    const first = await read(from, middle);
    return first < middle - from ? first : first + (await read(middle, to));
  };
  return read(0, into.length);
}

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
    const length = await readReadable(file, 0, bytes);
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

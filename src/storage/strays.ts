/** Segment files that the manifest does not name: of a roll or a purge that was cut short. */
import type { Disk } from "../platform/disk.ts";
import { findCheckpoint } from "./checkpoints.ts";
import { readReadable } from "./files.ts";
import { BATCH_HEADER_BYTES, type Crc32, readBatchHeader, SEGMENT_HEADER_BYTES } from "./format.ts";
import type { Manifest } from "./manifest.ts";
import { LOG_DIR, segmentPath } from "./segment-file.ts";
import { LogCorrupt } from "./storage.ts";

/** Rejects with LogCorrupt when one of them was part of the log. */
export async function removeStrays(
  { disk, crc32 }: { readonly disk: Disk; readonly crc32: Crc32 },
  manifest: Manifest,
  report: (message: string) => void,
): Promise<void> {
  const newest = manifest.segments[manifest.segments.length - 1]!.id;
  const known = new Set(manifest.segments.map((s) => segmentPath(s.firstIndex, s.id)));
  for (const name of await disk.list(LOG_DIR)) {
    const path = `${LOG_DIR}/${name}`;
    if (!name.endsWith(".seg") || known.has(path)) continue;
    const id = Number(name.slice(name.indexOf("-") + 1, -".seg".length));
    if (id > newest && (await isUsed(disk, path, id, crc32))) {
      throw new LogCorrupt(
        `Segment "${name}" in "${disk.root}" holds entries and the manifest does not name it: the manifest is ` +
          "older than the log. Restore the directory from a backup, or start with an empty one, which pulls " +
          "again what the source still has",
      );
    }
    report(
      `Removing segment "${name}": the manifest does not name it, so it never held an entry or was purged`,
    );
    await disk.remove(path);
  }
}

/** A segment is prepared with a checkpoint at most; what is behind that was written once it was named. */
async function isUsed(disk: Disk, path: string, id: number, crc32: Crc32): Promise<boolean> {
  const file = await disk.open(path, "r");
  try {
    const lengthAt = async (at: number): Promise<number> => {
      const head = new Uint8Array(BATCH_HEADER_BYTES);
      const read = await readReadable(file, at, head);
      return readBatchHeader(head.subarray(0, read), 0, crc32)?.length ?? 0;
    };
    const first = await lengthAt(SEGMENT_HEADER_BYTES);
    if (first === 0) return false;
    if ((await findCheckpoint(file, id, SEGMENT_HEADER_BYTES, crc32)) === null) return true;
    return (await lengthAt(SEGMENT_HEADER_BYTES + first)) > 0;
  } finally {
    await file.close();
  }
}

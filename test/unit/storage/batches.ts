/** The batches of a segment on a simulated disk, and ways to lose some of them. */
import assert from "node:assert/strict";
import type { MemoryDisk } from "../../../runtime/memory/disk.ts";
import { FileImage } from "../../../runtime/memory/disk-image.ts";
import { judgeBatch, type ReadRecord } from "../../../src/storage/batch.ts";
import { SECTOR_BYTES, SEGMENT_HEADER_BYTES } from "../../../src/storage/format.ts";
import { nodeCrc32 } from "../../support/crc.ts";

export interface StoredBatch {
  readonly path: string;
  readonly at: number;
  readonly length: number;
  readonly records: readonly ReadRecord[];
}

export function segmentPaths(disk: MemoryDisk): string[] {
  const names = disk.image.list("log").filter((name) => name.endsWith(".seg"));
  return names.sort().map((name) => `log/${name}`);
}

/** All whole batches of all segments, in order. */
export function batchesOf(disk: MemoryDisk): StoredBatch[] {
  const found: StoredBatch[] = [];
  for (const path of segmentPaths(disk)) {
    const file = disk.image.get(path);
    assert.ok(file instanceof FileImage);
    const bytes = new Uint8Array(file.visible.size);
    file.visible.read(0, bytes);
    for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; ) {
      const verdict = judgeBatch(bytes, at, nodeCrc32);
      if (verdict.kind !== "whole") break;
      const { length } = verdict.header;
      found.push({ path, at, length, records: verdict.records });
      at += length;
    }
  }
  return found;
}

/** A sector goes bad: its bytes are others, for good. */
export function loseSector(disk: MemoryDisk, path: string, at: number, fill = 0xa5): void {
  const file = disk.image.get(path);
  assert.ok(file instanceof FileImage);
  const junk = new Uint8Array(SECTOR_BYTES).fill(fill);
  for (const image of [file.visible, file.durable]) image.write(at, junk);
}

/** What a repair writes, once all of it is proved (repair.ts). */
import { equalBytes } from "../base/bytes.ts";
import type { Disk } from "../platform/disk.ts";
import type { LogIndex } from "./log-index.ts";
import type { SegmentEntry } from "./manifest.ts";
import { segmentPath } from "./segment-file.ts";

export interface Patch {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export class RepairPlan {
  readonly #disk: Disk;
  readonly #patches: ReadonlyMap<SegmentEntry, readonly Patch[]>;
  /** Where the entries stand. */
  readonly found: LogIndex;

  constructor(disk: Disk, patches: ReadonlyMap<SegmentEntry, readonly Patch[]>, found: LogIndex) {
    this.#disk = disk;
    this.#patches = patches;
    this.found = found;
  }

  /** Durable when it resolves. False when it does not read as it was written: the disk is no good. */
  async write(): Promise<boolean> {
    let isWritten = true;
    for (const [segment, patches] of this.#patches) {
      const file = await this.#disk.open(pathOf(segment), "durable");
      try {
        for (const { at, bytes } of patches) await file.write(at, [bytes]);
        for (const { at, bytes } of patches) {
          const now = new Uint8Array(bytes.length);
          const read = await file.read(at, now).catch(() => 0);
          isWritten &&= read === bytes.length && equalBytes(now, bytes);
        }
      } finally {
        await file.close();
      }
    }
    return isWritten;
  }
}

export function pathOf({ firstIndex, id }: SegmentEntry): string {
  return segmentPath(firstIndex, id);
}

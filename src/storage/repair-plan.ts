/** What a repair writes, once all of it is proved (repair.ts). */
import { equalBytes } from "../base/bytes.ts";
import { type Disk, DiskError } from "../platform/disk.ts";
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

  /**
   * Durable when it resolves. False when the disk does not take it, or it does not read as it was written: the
   * damage stays then, which is no reason to end.
   */
  async write(): Promise<boolean> {
    try {
      let isWritten = true;
      for (const [segment, patches] of this.#patches)
        isWritten = (await this.#writeTo(segment, patches)) && isWritten;
      return isWritten;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
  }

  async #writeTo(segment: SegmentEntry, patches: readonly Patch[]): Promise<boolean> {
    const file = await this.#disk.open(pathOf(segment), "durable");
    try {
      for (const { at, bytes } of patches) await file.write(at, [bytes]);
      let isWritten = true;
      for (const { at, bytes } of patches) {
        const now = new Uint8Array(bytes.length);
        const read = await file.read(at, now).catch(() => 0);
        isWritten &&= read === bytes.length && equalBytes(now, bytes);
      }
      return isWritten;
    } finally {
      await file.close();
    }
  }
}

export function pathOf({ firstIndex, id }: SegmentEntry): string {
  return segmentPath(firstIndex, id);
}

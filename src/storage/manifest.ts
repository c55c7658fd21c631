/**
 * Which segments there are. Two slots written one after the other, each with a sequence number and a
 * CRC: a crash while one is written leaves the other, and afterwards both say the same, so that what
 * becomes unreadable in one later costs nothing. The newest whole slot counts.
 *
 *   "BRMANIF\0" · u32 format · u32 crc of what follows · u64 sequence · JSON, spaces to the slot's end
 *
 * Slots are larger than what they hold and written in place, so that the log can roll to a segment
 * that is there already when the disk is full.
 */
import { ByteReader, ByteWriter, decodeText, encodeText } from "../base/bytes.ts";
import { type Disk, DiskError } from "../platform/disk.ts";
import { readFile, writeNewFile } from "./files.ts";
import { type Crc32, FORMAT, UnknownFormat } from "./format.ts";
import { LogCorrupt } from "./storage.ts";

export interface SegmentEntry {
  readonly id: number;
  readonly firstIndex: number;
  readonly firstBatch: number;
  /** Of sealed segments: where the index block stands. */
  readonly footer: {
    readonly at: number;
    readonly bytes: number;
    readonly lastIndex: number;
  } | null;
}

export interface Identity {
  /** Hex. Made at the first start and never changed: a wiped disk is another disk. */
  readonly diskUuid: string;
  readonly clusterId: string;
  readonly raftId: number;
  /** When the cluster was formed, wall clock; null when an operator made it of a log, or nobody knows. */
  readonly foundedMs: number | null;
}

export interface Manifest {
  readonly identity: Identity;
  readonly segments: readonly SegmentEntry[];
  /** How often a snapshot took the place of the log: then, and only then, it may end before where it did. */
  readonly installs: number;
}

const MAGIC = "BRMANIF\0";
const SLOTS = ["MANIFEST.0", "MANIFEST.1"] as const;
const SLOT_BYTES = 32 * 1024;
const HEAD_BYTES = 16;
const SPACE = 0x20;

export class ManifestStore {
  readonly #disk: Disk;
  readonly #crc32: Crc32;
  #sequence = 0;
  #writing: Promise<void> = Promise.resolve();
  /** How long each slot's file is. */
  readonly #sizes: [number, number] = [0, 0];

  constructor(disk: Disk, crc32: Crc32) {
    this.#disk = disk;
    this.#crc32 = crc32;
  }

  /** Null in a fresh directory. Throws LogCorrupt when slots exist and none is whole. */
  async read(): Promise<Manifest | null> {
    let newest: Manifest | null = null;
    let seen = false;
    for (const [at, slot] of SLOTS.entries()) {
      const bytes = await readFile(this.#disk, slot);
      if (bytes === null) continue;
      this.#sizes[at] = bytes.length;
      seen = true;
      const decoded = this.#decode(bytes);
      if (decoded !== null && decoded.sequence > this.#sequence) {
        this.#sequence = decoded.sequence;
        newest = decoded.manifest;
      }
    }
    if (seen && newest === null) {
      throw new LogCorrupt(
        `Both manifest slots in "${this.#disk.root}" are damaged: which segments the log has is not ` +
          "known. Restore the directory from a backup, or start a new node in an empty one",
      );
    }
    return newest;
  }

  #decode(bytes: Uint8Array): { sequence: number; manifest: Manifest } | null {
    if (bytes.length < 24 || decodeText(bytes.subarray(0, 8)) !== MAGIC) return null;
    const reader = new ByteReader(bytes, 8);
    const format = reader.u32();
    const crc = reader.u32();
    if (this.#crc32(bytes.subarray(16)) !== crc) return null;
    if (format !== FORMAT) throw new UnknownFormat("manifest", format);
    const sequence = reader.u64n();
    return { sequence, manifest: JSON.parse(decodeText(reader.rest())) as Manifest };
  }

  /**
   * Durable, twice, when it resolves. Written one after the other, each as `manifest` is when its turn comes:
   * a list that grows meanwhile is not replaced by what it was before.
   */
  write(manifest: Manifest): Promise<void> {
    const written = this.#writing
      .then(() => this.#write(manifest))
      .then(() => this.#write(manifest));
    this.#writing = written.catch(() => {});
    return written;
  }

  async #write(manifest: Manifest): Promise<void> {
    const sequence = this.#sequence + 1;
    const at = sequence % 2;
    const slot = SLOTS[at]!;
    const json = encodeText(JSON.stringify(manifest));
    const needed = HEAD_BYTES + 8 + json.length;
    const size = this.#sizes[at]!;
    let wanted = Math.max(SLOT_BYTES, size);
    // Grown in good time: what does not fit one day must be written elsewhere, which takes space.
    while (needed * 2 > wanted) wanted *= 2;
    const slotOf = (bytes: number): Uint8Array[] => this.#encode(sequence, json, bytes);
    if (wanted > size) {
      try {
        await writeNewFile(this.#disk, slot, slotOf(wanted));
        this.#sizes[at] = wanted;
        this.#sequence = sequence;
        return;
      } catch (error) {
        const isFull = error instanceof DiskError && error.code === "ENOSPC";
        if (!isFull || needed > size) throw error;
      }
    }
    await this.#overwrite(slot, slotOf(size));
    this.#sequence = sequence;
  }

  #encode(sequence: number, json: Uint8Array, slotBytes: number): Uint8Array[] {
    const body = new Uint8Array(slotBytes - HEAD_BYTES).fill(SPACE);
    body.set(new ByteWriter(8).u64(sequence).finish());
    body.set(json, 8);
    const crc = this.#crc32(body);
    return [new ByteWriter(HEAD_BYTES).text(MAGIC).u32(FORMAT).u32(crc).finish(), body];
  }

  async #overwrite(slot: string, parts: readonly Uint8Array[]): Promise<void> {
    const file = await this.#disk.open(slot, "rw");
    try {
      await file.write(0, parts);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

export function hexBytes(hex: string): Uint8Array {
  const out = new Uint8Array(hex.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/**
 * What a node must never forget of itself and of the others: which disk it is, how often it was
 * started, and how far each peer's log had come. A disk that was restored from a copy, or a copy
 * that runs beside the original, shows less than somebody remembers, or another process under the
 * same count: it could vote twice, or miss what it had acknowledged.
 *
 *   node.state   "BRNODE\0\0" · u32 CRC-32 of what follows · u32 format · the value {diskUuid, boots, place,
 *                peers: [[uuid, {boots, nonce, term, vote, lastTerm, lastIndex, installs}]]}
 *
 * `place` is what this disk became (formation.ts), from before the log is made until the log says so
 * itself: a log that was made and holds nothing yet would not know with whom it began.
 *
 * Written beside and renamed: a crash leaves the old or the new. It is written before a peer's first
 * message is taken, and now and then while logs grow.
 */
import { z } from "zod";
import { ByteReader, ByteWriter, encodeText, equalBytes, MalformedBytes } from "../base/bytes.ts";
import { decodePacked, encodePacked } from "../base/packed.ts";
import type { Hello } from "../peers/protocol.ts";
import { hexName, index, raftId, shaped, term, times } from "../peers/shapes.ts";
import { type Disk, DiskError } from "../platform/disk.ts";
import { readFile, writeNewFile } from "../storage/files.ts";
import { LogCorrupt } from "../storage/storage.ts";
import type { Place } from "./formation.ts";
import { placeShape } from "./shapes.ts";

const FILE = "node.state";
/** What format 1 was in: JSON. */
const OLD_FILE = "node.json";
const FORMAT = 2;
const MAGIC = encodeText("BRNODE\0\0");
const HEAD_BYTES = MAGIC.length + 8;
/** Four times as many as a cluster may have. */
const MAX_REMEMBERED = 1024;

/** What a disk holds that it must never lose: durable term and vote, and the last entry. */
export interface Shown {
  readonly term: number;
  readonly vote: number;
  readonly lastTerm: number;
  readonly lastIndex: number;
  /** How often a snapshot took the place of the log. */
  readonly installs: number;
}

export interface Remembered extends Shown {
  readonly boots: number;
  readonly nonce: string;
}

interface Saved {
  readonly diskUuid: string;
  readonly boots: number;
  readonly peers: readonly (readonly [string, Remembered])[];
  readonly place: Place | null;
}

const saved: z.ZodType<Saved> = z.object({
  diskUuid: hexName,
  boots: times,
  peers: z.array(
    z.tuple([
      hexName,
      z.object({
        boots: times,
        nonce: hexName,
        term,
        vote: raftId,
        lastTerm: term,
        lastIndex: index,
        installs: times,
      }),
    ]),
  ),
  place: placeShape.nullable(),
});

export class PeerMemory {
  readonly #disk: Disk;
  readonly #crc32: (bytes: Uint8Array) => number;
  readonly #peers: Map<string, Remembered>;
  readonly diskUuid: string;
  readonly boots: number;
  #place: Place | null;
  /** By their disks; set while the node has a log that says so. */
  isMember: (diskUuid: string) => boolean = () => false;
  #writing: Promise<void> = Promise.resolve();
  #isDirty = false;

  private constructor(
    disk: Disk,
    crc32: (bytes: Uint8Array) => number,
    { diskUuid, boots, peers, place }: Saved,
  ) {
    this.#disk = disk;
    this.#crc32 = crc32;
    this.diskUuid = diskUuid;
    this.boots = boots;
    this.#peers = new Map(peers);
    this.#place = place;
  }

  /** Counts this start. `newUuid` is for a disk without a memory. Rejects with LogCorrupt. */
  static async open(
    disk: Disk,
    crc32: (bytes: Uint8Array) => number,
    newUuid: () => string,
  ): Promise<PeerMemory> {
    const bytes = await readFile(disk, FILE);
    if (bytes === null && (await readFile(disk, OLD_FILE)) !== null)
      throw otherFormat(OLD_FILE, disk.root, 1);
    const known = bytes === null ? null : decode(bytes, crc32, disk.root);
    const memory = new PeerMemory(disk, crc32, {
      diskUuid: known?.diskUuid ?? newUuid(),
      boots: (known?.boots ?? 0) + 1,
      peers: known?.peers ?? [],
      place: known?.place ?? null,
    });
    memory.#isDirty = true;
    await memory.flush();
    return memory;
  }

  /** Null once the log says it itself. */
  get place(): Place | null {
    return this.#place;
  }

  /** Durable when it resolves. */
  takePlace(place: Place): Promise<void> {
    this.#place = place;
    this.#isDirty = true;
    return this.flush();
  }

  /** The log knows it from now on; written at the next flush. */
  placeIsLogged(): void {
    if (this.#place === null) return;
    this.#place = null;
    this.#isDirty = true;
  }

  of(diskUuid: string): Remembered | null {
    return this.#peers.get(diskUuid) ?? null;
  }

  /** Durable when it resolves; on a full disk it is kept in memory only. */
  async greet(hello: Hello): Promise<void> {
    const { diskUuid, boots, nonce, term, vote, lastTerm, lastIndex, installs } = hello;
    // The newest last, so that what many strangers leave here pushes out their own.
    this.#peers.delete(diskUuid);
    this.#peers.set(diskUuid, { boots, nonce, term, vote, lastTerm, lastIndex, installs });
    this.#makeRoom();
    this.#isDirty = true;
    try {
      await this.flush();
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ENOSPC") throw error;
    }
  }

  /** Its log has come so far; written at the next flush. */
  saw(diskUuid: string, { term, vote, lastTerm, lastIndex, installs }: Shown): void {
    const known = this.#peers.get(diskUuid);
    if (known === undefined) return;
    const shown = { term, vote, lastTerm, lastIndex, installs };
    const voted = term > known.term || (term === known.term && known.vote === 0 && vote !== 0);
    if (!voted && !isBefore(known, shown)) return;
    this.#peers.set(diskUuid, { ...known, ...shown });
    this.#isDirty = true;
  }

  /** Of disks that are no members' the oldest go first. */
  #makeRoom(): void {
    for (const uuid of this.#peers.keys()) {
      if (this.#peers.size <= MAX_REMEMBERED) return;
      if (!this.isMember(uuid)) this.#peers.delete(uuid);
    }
  }

  forget(keep: ReadonlySet<string>): void {
    for (const uuid of this.#peers.keys()) {
      if (keep.has(uuid)) continue;
      this.#peers.delete(uuid);
      this.#isDirty = true;
    }
  }

  flush(): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (!this.#isDirty) return;
    this.#isDirty = false;
    const { diskUuid, boots } = this;
    const state: Saved = { diskUuid, boots, peers: [...this.#peers], place: this.#place };
    const packed = encodePacked(state);
    const value = new ByteWriter(4 + packed.length).u32(FORMAT).raw(packed).finish();
    const head = new ByteWriter(HEAD_BYTES).raw(MAGIC).u32(this.#crc32(value)).finish();
    try {
      await writeNewFile(this.#disk, FILE, [head, value]);
    } catch (error) {
      this.#isDirty = true;
      throw error;
    }
  }
}

/**
 * A healthy log only grows, is cut by entries of a later term, or gives way to a snapshot: with that goes
 * a tail that nobody else has, also one of a later term.
 */
export function isBefore(
  a: Pick<Shown, "lastTerm" | "lastIndex" | "installs">,
  b: Pick<Shown, "lastTerm" | "lastIndex" | "installs">,
): boolean {
  if (a.installs !== b.installs) return a.installs < b.installs;
  return a.lastTerm < b.lastTerm || (a.lastTerm === b.lastTerm && a.lastIndex < b.lastIndex);
}

function decode(bytes: Uint8Array, crc32: (bytes: Uint8Array) => number, root: string): Saved {
  const damaged = (): LogCorrupt =>
    new LogCorrupt(
      `"${FILE}" in "${root}" is damaged: what this node promised to others is not known. It must not ` +
        "act under its id again: move the directory away, start with an empty one, which joins as a new " +
        "learner, and remove the old member",
    );
  if (bytes.length < HEAD_BYTES || !equalBytes(bytes.subarray(0, MAGIC.length), MAGIC))
    throw damaged();
  const reader = new ByteReader(bytes, MAGIC.length);
  if (crc32(bytes.subarray(MAGIC.length + 4)) !== reader.u32("crc")) throw damaged();
  const format = reader.u32("format");
  const value = reader.rest();
  if (format !== FORMAT) throw otherFormat(FILE, root, format);
  try {
    return shaped(saved, decodePacked(value), FILE);
  } catch (error) {
    if (error instanceof MalformedBytes) throw damaged();
    throw error;
  }
}

function otherFormat(file: string, root: string, format: number): LogCorrupt {
  const next =
    format > FORMAT
      ? "use a newer one"
      : "use the version that wrote it, or start with an empty directory, which joins as a new learner";
  return new LogCorrupt(
    `"${file}" in "${root}" has format ${format}; this binraft knows ${FORMAT}: ${next}`,
  );
}

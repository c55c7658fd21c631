/**
 * What a node must never forget of itself and of the others: which disk it is, how often it was
 * started, and how far each peer's log had come. A disk that was restored from a copy, or a copy
 * that runs beside the original, shows less than somebody remembers, or another process under the
 * same count: it could vote twice, or miss what it had acknowledged.
 *
 *   node.json   {"format":1, "diskUuid", "boots", "place", "peers": {uuid: {boots, nonce, term, vote,
 *               lastTerm, lastIndex, installs}}}
 *               and a last line with the CRC-32 of all before it
 *
 * `place` is what this disk became (formation.ts), from before the log is made until the log says so
 * itself: a log that was made and holds nothing yet would not know with whom it began.
 *
 * Written beside and renamed: a crash leaves the old or the new. It is written before a peer's first
 * message is taken, and now and then while logs grow.
 */
import { decodeText, encodeText } from "../base/bytes.ts";
import type { Hello } from "../peers/protocol.ts";
import { type Disk, DiskError } from "../platform/disk.ts";
import { readFile, writeNewFile } from "../storage/files.ts";
import { LogCorrupt } from "../storage/storage.ts";
import type { Place } from "./formation.ts";

const FILE = "node.json";
const FORMAT = 1;
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
  readonly format: number;
  readonly diskUuid: string;
  readonly boots: number;
  readonly peers: Readonly<Record<string, Remembered>>;
  readonly place?: Place | null;
}

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
    saved: Pick<Saved, "diskUuid" | "boots" | "peers" | "place">,
  ) {
    this.#disk = disk;
    this.#crc32 = crc32;
    this.diskUuid = saved.diskUuid;
    this.boots = saved.boots;
    this.#peers = new Map(Object.entries(saved.peers));
    this.#place = saved.place ?? null;
  }

  /** Counts this start. `newUuid` is for a disk without a memory. Rejects with LogCorrupt. */
  static async open(
    disk: Disk,
    crc32: (bytes: Uint8Array) => number,
    newUuid: () => string,
  ): Promise<PeerMemory> {
    const bytes = await readFile(disk, FILE);
    const saved = bytes === null ? null : decode(bytes, crc32, disk.root);
    const memory = new PeerMemory(disk, crc32, {
      diskUuid: saved?.diskUuid ?? newUuid(),
      boots: (saved?.boots ?? 0) + 1,
      peers: saved?.peers ?? {},
      place: saved?.place ?? null,
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
    const saved: Saved = {
      format: FORMAT,
      diskUuid,
      boots,
      peers: Object.fromEntries(this.#peers),
      ...(this.#place === null ? {} : { place: this.#place }),
    };
    const json = encodeText(`${JSON.stringify(saved)}\n`);
    const crc = encodeText(lastLine(this.#crc32(json)));
    try {
      await writeNewFile(this.#disk, FILE, [json, crc]);
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

function lastLine(crc: number): string {
  return `${crc.toString(16).padStart(8, "0")}\n`;
}

function decode(bytes: Uint8Array, crc32: (bytes: Uint8Array) => number, root: string): Saved {
  const end = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const json = bytes.subarray(0, end);
  if (end === 0 || decodeText(bytes.subarray(end)) !== lastLine(crc32(json))) {
    throw new LogCorrupt(
      `"${FILE}" in "${root}" is damaged: what this node promised to others is not known. It must not ` +
        "act under its id again: move the directory away, start with an empty one, which joins as a new " +
        "learner, and remove the old member",
    );
  }
  const saved = JSON.parse(decodeText(json)) as Saved;
  if (saved.format !== FORMAT) {
    throw new LogCorrupt(
      `"${FILE}" in "${root}" has format ${saved.format}; this binraft knows ${FORMAT}: use a newer one`,
    );
  }
  return saved;
}

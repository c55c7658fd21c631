/**
 * The disk that a simulated process sees: operations take virtual time and fail as the faults
 * say. All state is in disk-image.ts; a power loss is `MemoryDisk.crash`. Faults of reading lie
 * over the images as a switchable layer, so that a damaged disk can be made whole again.
 */
import { concatBytes } from "../../src/base/bytes.ts";
import { type Disk, DiskError, type DiskFile, type OpenMode } from "../../src/platform/disk.ts";
import { type CrashOutcome, DiskImage, FileImage, parentOf } from "./disk-image.ts";
import type { Life } from "./life.ts";
import type { SeededRandom } from "./random.ts";

export interface DiskFaults {
  capacityBytes: number;
  /** Bits that reads of a file show flipped. */
  bitFlips: { path: string; offset: number; mask: number }[];
  /** Ranges that cannot be read: EIO. */
  readErrors: { path: string; from: number; to: number }[];
  /** The process has no handle left: opening fails. */
  noHandles: boolean;
  /** False switches bit flips and read errors off for a while. */
  readFaultsOn: boolean;
  /** Code that every write rejects with, such as EIO. */
  writeError: string | null;
  /** Code that every sync rejects with; what was pending is lost without trace, as on Linux. */
  syncError: string | null;
  /** Syncs never return. */
  syncHangs: boolean;
  /** Syncs say yes and do nothing. */
  syncLies: boolean;
  /** How long a call takes, and a sync; up to twice as long by chance. */
  callMs: number;
  syncMs: number;
}

export class MemoryDisk {
  readonly image: DiskImage;
  readonly faults: DiskFaults = {
    capacityBytes: Number.POSITIVE_INFINITY,
    bitFlips: [],
    readErrors: [],
    noHandles: false,
    readFaultsOn: true,
    writeError: null,
    syncError: null,
    syncHangs: false,
    syncLies: false,
    callMs: 0.02,
    syncMs: 0.2,
  };
  readonly #random: SeededRandom;
  #lockedBy: Life | null = null;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.image = new DiskImage(random);
  }

  /** The power fails. The process must be gone already. */
  crash(outcome: CrashOutcome): void {
    this.image.crash(outcome);
  }

  /** The disk as one process sees it. */
  open(root: string, life: Life): Disk {
    return new DiskView(this, root, life);
  }

  wait(life: Life, what: string, ms: number): Promise<void> {
    return life.wait(ms * (1 + this.#random.float()), what);
  }

  tryLock(life: Life): boolean {
    if (this.#lockedBy?.alive) return false;
    this.#lockedBy = life;
    return true;
  }

  unlock(life: Life): void {
    if (this.#lockedBy === life) this.#lockedBy = null;
  }
}

class DiskView implements Disk {
  readonly root: string;
  readonly #disk: MemoryDisk;
  readonly #life: Life;

  constructor(disk: MemoryDisk, root: string, life: Life) {
    this.#disk = disk;
    this.root = root;
    this.#life = life;
  }

  #wait(what: string): Promise<void> {
    return this.#disk.wait(this.#life, what, this.#disk.faults.callMs);
  }

  #error(code: string, what: string, path: string): DiskError {
    return new DiskError(code, `Cannot ${what} ${this.root}/${path}: ${code}`);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    await this.#wait(`open ${path}`);
    const { image, faults } = this.#disk;
    if (faults.noHandles) throw this.#error("EMFILE", "open", path);
    let entry = image.get(path);
    if (mode === "create") {
      if (entry !== undefined) throw this.#error("EEXIST", "create", path);
      if (image.get(parentOf(path)) !== "folder") throw this.#error("ENOENT", "create", path);
      if (image.usedBytes() >= faults.capacityBytes) throw this.#error("ENOSPC", "create", path);
      entry = new FileImage();
      image.create(path, entry);
    }
    if (entry === undefined) throw this.#error("ENOENT", "open", path);
    if (entry === "folder") throw this.#error("EISDIR", "open", path);
    return new FileView(this.#disk, this.#life, entry, `${this.root}/${path}`, path, mode);
  }

  async list(dir: string): Promise<string[]> {
    await this.#wait(`list ${dir}`);
    return this.#disk.image.list(dir);
  }

  async makeDir(dir: string): Promise<void> {
    await this.#wait(`make ${dir}`);
    const parts = dir.split("/").filter((part) => part !== "");
    for (let count = 1; count <= parts.length; count++) {
      const path = parts.slice(0, count).join("/");
      const entry = this.#disk.image.get(path);
      if (entry === undefined) this.#disk.image.create(path, "folder");
      else if (entry !== "folder") throw this.#error("EEXIST", "make the folder", path);
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#wait(`rename ${from}`);
    const { image } = this.#disk;
    const entry = image.get(from);
    if (entry === undefined) throw this.#error("ENOENT", "rename", from);
    // Moving what is in a folder along with it is more than the storage needs.
    if (entry === "folder") throw this.#error("EISDIR", "rename", from);
    if (image.get(parentOf(to)) !== "folder") throw this.#error("ENOENT", "rename", to);
    image.rename(from, to, entry);
  }

  async remove(path: string): Promise<void> {
    await this.#wait(`remove ${path}`);
    const { image } = this.#disk;
    const entry = image.get(path);
    if (entry === undefined) return;
    if (entry === "folder" && image.list(path).length > 0) {
      throw this.#error("ENOTEMPTY", "remove", path);
    }
    image.remove(path);
  }

  async syncDir(dir: string): Promise<void> {
    const { faults, image } = this.#disk;
    if (faults.noHandles) throw this.#error("EMFILE", "sync the folder", dir);
    if (image.get(dir) !== "folder") throw this.#error("ENOENT", "sync the folder", dir);
    if (faults.syncHangs) return new Promise(() => {});
    await this.#disk.wait(this.#life, `sync folder ${dir}`, faults.syncMs);
    if (faults.syncError !== null) throw this.#error(faults.syncError, "sync the folder", dir);
    if (!faults.syncLies) image.syncDir(dir);
  }

  async freeBytes(): Promise<number> {
    await this.#wait("free");
    const { faults, image } = this.#disk;
    const free = Math.max(0, faults.capacityBytes - image.usedBytes());
    return Math.min(free, Number.MAX_SAFE_INTEGER);
  }

  async lock(): Promise<() => Promise<void>> {
    await this.#wait("lock");
    if (!this.#disk.tryLock(this.#life)) {
      throw new DiskError(
        "ELOCKED",
        `Data directory is in use: ${this.root}; stop the other process`,
      );
    }
    return async () => this.#disk.unlock(this.#life);
  }
}

class FileView implements DiskFile {
  readonly #disk: MemoryDisk;
  readonly #life: Life;
  readonly #file: FileImage;
  readonly #name: string;
  readonly #path: string;
  readonly #mode: OpenMode;
  #open = true;

  constructor(
    disk: MemoryDisk,
    life: Life,
    file: FileImage,
    name: string,
    path: string,
    mode: OpenMode,
  ) {
    this.#disk = disk;
    this.#life = life;
    this.#file = file;
    this.#name = name;
    this.#path = path;
    this.#mode = mode;
  }

  #error(code: string, what: string): DiskError {
    return new DiskError(code, `Cannot ${what} ${this.#name}: ${code}`);
  }

  async #begin(what: string, writes: boolean): Promise<void> {
    if (!this.#open || (writes && this.#mode === "r")) throw this.#error("EBADF", what);
    await this.#disk.wait(this.#life, `${what} ${this.#path}`, this.#disk.faults.callMs);
  }

  async read(position: number, into: Uint8Array): Promise<number> {
    await this.#begin("read", false);
    const { faults } = this.#disk;
    const length = this.#file.visible.read(position, into);
    if (!faults.readFaultsOn) return length;
    if (faults.readErrors.length === 0 && faults.bitFlips.length === 0) return length;
    const end = position + length;
    // As it is called now: a file may have been renamed since it was opened.
    const name = this.#disk.image.pathOf(this.#file) ?? this.#path;
    for (const { path, from, to } of faults.readErrors) {
      if (path === name && from < end && to > position) throw this.#error("EIO", "read");
    }
    for (const { path, offset, mask } of faults.bitFlips) {
      if (path === name && offset >= position && offset < end) {
        into[offset - position]! ^= mask;
      }
    }
    return length;
  }

  async write(position: number, parts: readonly Uint8Array[]): Promise<void> {
    const data = concatBytes(parts);
    await this.#begin("write", true);
    const { faults, image } = this.#disk;
    if (faults.writeError !== null) throw this.#error(faults.writeError, "write");
    const grows = Math.max(0, position + data.length - this.#file.visible.size);
    const room = Math.max(0, faults.capacityBytes - image.usedBytes());
    if (grows <= room) {
      if (data.length > 0) image.write(this.#file, position, data);
      if (this.#mode === "durable") await this.sync();
      return;
    }
    // A disk that fills up takes what fits.
    const fits = Math.max(0, data.length - (grows - room));
    if (fits > 0) image.write(this.#file, position, data.slice(0, fits));
    throw this.#error("ENOSPC", "write");
  }

  async sync(): Promise<void> {
    const { faults, image } = this.#disk;
    if (!this.#open) throw this.#error("EBADF", "sync");
    if (faults.syncHangs) return new Promise(() => {});
    const upTo = this.#file.retired + this.#file.pending.length;
    await this.#disk.wait(this.#life, `sync ${this.#path}`, faults.syncMs);
    // A second sync that was under way may have taken some of them already.
    const count = Math.max(0, upTo - this.#file.retired);
    if (faults.syncError !== null) {
      image.forget(this.#file, count);
      throw this.#error(faults.syncError, "sync");
    }
    if (!faults.syncLies) image.sync(this.#file, count);
  }

  async truncate(size: number): Promise<void> {
    await this.#begin("truncate", true);
    this.#disk.image.truncate(this.#file, size);
  }

  async size(): Promise<number> {
    await this.#begin("measure", false);
    return this.#file.visible.size;
  }

  async close(): Promise<void> {
    await this.#begin("close", false);
    this.#open = false;
  }
}

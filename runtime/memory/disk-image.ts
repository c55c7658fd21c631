/**
 * The state of one simulated disk, which outlives the process and the power.
 *
 * Every file has a *visible* image (what reads give) and a *durable* one (what a power loss
 * leaves), with the list of pending operations between them; the same for directory entries.
 * `sync` and `syncDir` move pending operations over, and nothing else does. `crash` decides what
 * became of those that were pending: any of it may happen to a real disk, so that code which
 * survives every outcome relies on nothing but its syncs.
 */
import { BytesImage } from "./bytes-image.ts";
import type { SeededRandom } from "./random.ts";

export type FileOperation =
  | { readonly kind: "write"; readonly position: number; readonly data: Uint8Array }
  | { readonly kind: "truncate"; readonly size: number };

export class FileImage {
  visible: BytesImage = new BytesImage();
  durable: BytesImage = new BytesImage();
  pending: FileOperation[] = [];
  /** Operations that were pending once: a running number for those that are now. */
  retired = 0;
}

/** A name leads to a file or is a folder. */
export type Entry = FileImage | "folder";

interface EntryOperation {
  readonly kind: "create" | "remove" | "rename";
  /** Folders whose sync makes it durable. */
  readonly dirs: readonly string[];
  /** What each path leads to afterwards; null for nothing. */
  readonly changes: readonly (readonly [path: string, entry: Entry | null])[];
}

/** What a power loss does to operations that no sync has confirmed. */
export type CrashOutcome =
  | "dropPending"
  | "keepPending"
  /** Each operation by the toss of a coin. */
  | "randomSubset"
  /** The first so many, in the order of each file and folder. */
  | "prefix"
  /** A prefix, and of the next write only some sectors. */
  | "tear512"
  | "tear4096"
  /** Files have their new size, the new contents read as they were, or as zeros. */
  | "sizeOnly"
  /** Contents are all there; entries of folders that were not synced are missing. */
  | "entriesLost"
  /** All is there but renames. */
  | "renamesLost";

export const CRASH_OUTCOMES: readonly CrashOutcome[] = [
  "dropPending",
  "keepPending",
  "randomSubset",
  "prefix",
  "tear512",
  "tear4096",
  "sizeOnly",
  "entriesLost",
  "renamesLost",
];

export class DiskImage {
  readonly #random: SeededRandom;
  #visible = new Map<string, Entry>();
  #durable = new Map<string, Entry>();
  #pending: EntryOperation[] = [];

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  get(path: string): Entry | undefined {
    return path === "" ? "folder" : this.#visible.get(path);
  }

  /** What a file is called; undefined of one that has no name any more. */
  pathOf(file: FileImage): string | undefined {
    for (const [path, entry] of this.#visible) if (entry === file) return path;
    return undefined;
  }

  list(dir: string): string[] {
    const prefix = dir === "" ? "" : `${dir}/`;
    const names = [...this.#visible.keys()]
      .filter((path) => path.startsWith(prefix))
      .map((path) => path.slice(prefix.length));
    return names.filter((name) => name !== "" && !name.includes("/")).sort();
  }

  /** All visible files, by path. */
  files(): [path: string, file: FileImage][] {
    const found: [string, FileImage][] = [];
    for (const [path, entry] of this.#visible) if (entry !== "folder") found.push([path, entry]);
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** The medium itself has other bytes there from now on, whatever was written and synced. */
  damage(file: FileImage, position: number, bytes: Uint8Array): void {
    file.visible.write(position, bytes);
    file.durable.write(position, bytes);
  }

  /** Bytes of all visible files. */
  usedBytes(): number {
    let used = 0;
    for (const entry of this.#visible.values()) if (entry !== "folder") used += entry.visible.size;
    return used;
  }

  create(path: string, entry: Entry): void {
    this.#change({ kind: "create", dirs: [parentOf(path)], changes: [[path, entry]] });
  }

  remove(path: string): void {
    this.#change({ kind: "remove", dirs: [parentOf(path)], changes: [[path, null]] });
  }

  rename(from: string, to: string, entry: Entry): void {
    const dirs = [parentOf(from), parentOf(to)];
    this.#change({
      kind: "rename",
      dirs,
      changes: [
        [to, entry],
        [from, null],
      ],
    });
  }

  #change(operation: EntryOperation): void {
    apply(this.#visible, operation);
    this.#pending.push(operation);
  }

  syncDir(dir: string): void {
    this.#pending = this.#pending.filter((operation) => {
      if (!operation.dirs.includes(dir)) return true;
      apply(this.#durable, operation);
      return false;
    });
  }

  write(file: FileImage, position: number, data: Uint8Array): void {
    file.visible.write(position, data);
    file.pending.push({ kind: "write", position, data });
  }

  truncate(file: FileImage, size: number): void {
    file.visible.truncate(size);
    file.pending.push({ kind: "truncate", size });
  }

  /** Makes the first `count` pending operations durable: those that were there when it began. */
  sync(file: FileImage, count: number): void {
    for (const operation of file.pending.splice(0, count)) applyTo(file.durable, operation);
    file.retired += count;
  }

  /** A failed sync: the kernel forgets that these were to be written, reads still show them. */
  forget(file: FileImage, count: number): void {
    file.pending.splice(0, count);
    file.retired += count;
  }

  /** True when a power loss now could change nothing. */
  get allDurable(): boolean {
    const files = [...this.#visible.values()].filter((entry) => entry !== "folder");
    return this.#pending.length === 0 && files.every((file) => file.pending.length === 0);
  }

  crash(outcome: CrashOutcome): void {
    for (const operation of this.#survivors(outcome)) apply(this.#durable, operation);
    this.#pending = [];
    // Without its folder an entry cannot be reached.
    for (const path of [...this.#durable.keys()].sort()) {
      const parent = parentOf(path);
      if (parent !== "" && this.#durable.get(parent) !== "folder") this.#durable.delete(path);
    }
    const files = new Set([...this.#durable.values()].filter((entry) => entry !== "folder"));
    for (const file of files) this.#crashFile(file, outcome);
    this.#visible = new Map(this.#durable);
  }

  #survivors(outcome: CrashOutcome): EntryOperation[] {
    switch (outcome) {
      case "dropPending":
      case "entriesLost":
        return [];
      case "randomSubset":
        return this.#pending.filter(() => this.#random.below(2) === 0);
      case "prefix":
        return this.#pending.slice(0, this.#random.below(this.#pending.length + 1));
      case "renamesLost":
        return this.#pending.filter(({ kind }) => kind !== "rename");
      default:
        return this.#pending;
    }
  }

  #crashFile(file: FileImage, outcome: CrashOutcome): void {
    const { durable, pending } = file;
    if (outcome === "sizeOnly") {
      durable.truncate(pending.length === 0 ? durable.size : file.visible.size);
    } else {
      for (const operation of this.#keptOf(pending, outcome)) applyTo(durable, operation);
    }
    file.pending = [];
    file.visible = durable.copy();
  }

  #keptOf(pending: readonly FileOperation[], outcome: CrashOutcome): readonly FileOperation[] {
    const count = this.#random.below(pending.length + 1);
    switch (outcome) {
      case "dropPending":
        return [];
      case "randomSubset":
        return pending.filter(() => this.#random.below(2) === 0);
      case "prefix":
        return pending.slice(0, count);
      case "tear512":
      case "tear4096": {
        if (pending.length === 0) return [];
        const at = Math.min(count, pending.length - 1);
        const sector = outcome === "tear512" ? 512 : 4096;
        return [...pending.slice(0, at), ...this.#tear(pending[at]!, sector)];
      }
      default:
        return pending;
    }
  }

  /** Some sectors of a write, at sector boundaries of the file. */
  #tear(operation: FileOperation, sector: number): FileOperation[] {
    if (operation.kind !== "write") return [];
    const out: FileOperation[] = [];
    const end = operation.position + operation.data.length;
    for (let at = operation.position; at < end; ) {
      const next = Math.min(end, (Math.floor(at / sector) + 1) * sector);
      if (this.#random.below(2) === 0) {
        const data = operation.data.subarray(at - operation.position, next - operation.position);
        out.push({ kind: "write", position: at, data });
      }
      at = next;
    }
    return out;
  }
}

export function parentOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "" : path.slice(0, at);
}

function apply(entries: Map<string, Entry>, operation: EntryOperation): void {
  for (const [path, entry] of operation.changes) {
    if (entry === null) entries.delete(path);
    else entries.set(path, entry);
  }
}

function applyTo(image: BytesImage, operation: FileOperation): void {
  if (operation.kind === "write") image.write(operation.position, operation.data);
  else image.truncate(operation.size);
}

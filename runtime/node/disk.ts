/**
 * The data directory on a real file system, by FileHandle: positional reads and writes and
 * fdatasync run in the thread pool on Node and Bun. No mmap and no O_DIRECT: no API for them is
 * common to the runtimes, and a full disk would be a SIGBUS.
 */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { assert } from "../../src/base/assert.ts";
import { type Disk, DiskError, type DiskFile, type OpenMode } from "../../src/platform/disk.ts";
import { codeOf, diskError } from "./errors.ts";
import { withSpares } from "./spare-handles.ts";

const LOCK_FILE = "LOCK";
const PID_FILE = "LOCK.pid";
const FOR_OTHERS_TO_WRITE = 0o022;
/** Most buffers that one pwritev takes (IOV_MAX of Linux). */
const MOST_PARTS = 1024;

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  r: constants.O_RDONLY,
  rw: constants.O_RDWR,
  durable: constants.O_RDWR | constants.O_DSYNC,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/** Locks are dropped with their database, which a runtime may collect as soon as nobody refers to it. */
const locks = new Set<DatabaseSync>();

export function nodeDisk(root: string): Disk {
  return new NodeDisk(path.resolve(root));
}

/** A folder of ours that others may write to is no place for a log; that they may list it does no harm. */
async function makeOwn(root: string): Promise<void> {
  await fs.mkdir(root, { recursive: true, mode: 0o700 });
  const { uid, mode } = await fs.stat(root);
  if (uid === process.getuid?.() && (mode & FOR_OTHERS_TO_WRITE) !== 0) {
    throw new DiskError(
      "EMODE",
      `Others than its owner may write to the data directory ${root}: chmod 700 it`,
    );
  }
}

class NodeDisk implements Disk {
  readonly root: string;
  #made: Promise<unknown> | null = null;

  constructor(root: string) {
    this.root = root;
  }

  async #at(relative: string): Promise<string> {
    assert(!path.isAbsolute(relative), `path is relative to the data directory: ${relative}`);
    assert(!relative.split("/").includes(".."), `path stays in the data directory: ${relative}`);
    this.#made ??= makeOwn(this.root);
    await this.#made;
    return path.join(this.root, relative);
  }

  async #run<T>(what: string, relative: string, fn: (full: string) => Promise<T>): Promise<T> {
    try {
      return await fn(await this.#at(relative));
    } catch (error) {
      throw diskError(error, `Cannot ${what} ${path.join(this.root, relative)}`);
    }
  }

  open(relative: string, mode: OpenMode): Promise<DiskFile> {
    return this.#run(mode === "create" ? "create" : "open", relative, async (full) => {
      const handle = await withSpares(() => fs.open(full, OPEN_FLAGS[mode], 0o600));
      return new NodeFile(handle, full);
    });
  }

  list(dir: string): Promise<string[]> {
    return this.#run("list", dir, async (full) => {
      try {
        return (await fs.readdir(full)).sort();
      } catch (error) {
        if (codeOf(error, "") === "ENOENT") return [];
        throw error;
      }
    });
  }

  makeDir(dir: string): Promise<void> {
    return this.#run("make the folder", dir, async (full) => {
      await fs.mkdir(full, { recursive: true, mode: 0o700 });
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run("rename", from, async (full) => fs.rename(full, await this.#at(to)));
  }

  remove(relative: string): Promise<void> {
    return this.#run("remove", relative, async (full) => {
      try {
        const stat = await fs.lstat(full);
        await (stat.isDirectory() ? fs.rmdir(full) : fs.unlink(full));
      } catch (error) {
        if (codeOf(error, "") !== "ENOENT") throw error;
      }
    });
  }

  syncDir(dir: string): Promise<void> {
    return this.#run("sync the folder", dir, async (full) => {
      const flags = constants.O_RDONLY | constants.O_DIRECTORY;
      const handle = await withSpares(() => fs.open(full, flags));
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  freeBytes(): Promise<number> {
    return this.#run("measure", "", async (full) => {
      const stat = await fs.statfs(full);
      return stat.bavail * stat.bsize;
    });
  }

  async #holder(): Promise<string> {
    const pid = await fs.readFile(path.join(this.root, PID_FILE), "utf8").catch(() => "");
    return /^[0-9]+\n$/.test(pid) ? ` by the process ${pid.trim()}` : "";
  }

  /**
   * An open exclusive transaction of SQLite: the only lock that Node, Bun and Deno have in
   * common that binds to the directory and that the kernel frees however the process ends.
   * Nothing else may open the LOCK file here: closing any handle of it drops a POSIX lock.
   */
  async lock(): Promise<() => Promise<void>> {
    const full = await this.#run("lock", LOCK_FILE, async (name) => name);
    const { DatabaseSync } = await loadSqlite();
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(full);
      database.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
    } catch (error) {
      database?.close();
      if (error instanceof Error && /locked|busy/i.test(error.message)) {
        throw new DiskError(
          "ELOCKED",
          `Data directory is in use${await this.#holder()}: ${this.root}; stop the other process or give ` +
            "another directory",
          { cause: error },
        );
      }
      throw diskError(error, `Cannot lock ${full}`);
    }
    const held = database;
    locks.add(held);
    // For people only: the lock is what counts, and this may be of a process that is gone.
    await fs
      .writeFile(path.join(this.root, PID_FILE), `${process.pid}\n`, { mode: 0o600 })
      .catch(() => {});
    return async () => {
      if (locks.delete(held)) held.close();
    };
  }
}

/** Node 24 calls its SQLite experimental at the first import; only this one line is held back. */
async function loadSqlite(): Promise<typeof import("node:sqlite")> {
  const emitWarning = process.emitWarning;
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (String(warning).includes("SQLite is an experimental")) return;
    emitWarning.call(process, warning, ...rest);
  }) as typeof process.emitWarning;
  try {
    return await import("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
}

class NodeFile implements DiskFile {
  readonly #handle: fs.FileHandle;
  readonly #name: string;

  constructor(handle: fs.FileHandle, name: string) {
    this.#handle = handle;
    this.#name = name;
  }

  async #run<T>(what: string, fn: () => Promise<T>): Promise<T> {
    try {
      return await fn();
    } catch (error) {
      throw diskError(error, `Cannot ${what} ${this.#name}`);
    }
  }

  read(position: number, into: Uint8Array): Promise<number> {
    return this.#run("read", async () => {
      let done = 0;
      while (done < into.length) {
        const { bytesRead } = await this.#handle.read(
          into,
          done,
          into.length - done,
          position + done,
        );
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  write(position: number, parts: readonly Uint8Array[]): Promise<void> {
    return this.#run("write", async () => {
      let left = parts.filter((part) => part.length > 0);
      let at = position;
      // A disk that fills up answers with a short write first; only the next one fails.
      while (left.length > 0) {
        const one = left[0]!;
        const written =
          left.length === 1
            ? (await this.#handle.write(one, 0, one.length, at)).bytesWritten
            : (await this.#handle.writev(left.slice(0, MOST_PARTS), at)).bytesWritten;
        if (written === 0) throw new DiskError("EIO", `Wrote nothing to ${this.#name}`);
        at += written;
        left = skip(left, written);
      }
    });
  }

  sync(): Promise<void> {
    return this.#run("sync", () => this.#handle.datasync());
  }

  truncate(size: number): Promise<void> {
    return this.#run("truncate", () => this.#handle.truncate(size));
  }

  size(): Promise<number> {
    return this.#run("measure", async () => (await this.#handle.stat()).size);
  }

  close(): Promise<void> {
    return this.#run("close", () => this.#handle.close());
  }
}

function skip(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let index = 0;
  let left = bytes;
  while (index < parts.length && left >= parts[index]!.length) left -= parts[index++]!.length;
  const rest = parts.slice(index);
  if (left > 0) rest[0] = rest[0]!.subarray(left);
  return rest;
}

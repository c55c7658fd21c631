/**
 * Files of one data directory. Paths are relative, with "/" between parts.
 *
 * What survives a power loss: file contents after `sync`, and directory entries (create, rename,
 * remove) after `syncDir`. The in-memory disk enforces just this and nothing more.
 */
export interface Disk {
  /** The directory, for messages to people. */
  readonly root: string;
  /**
   * `r` reads, `rw` reads and writes an existing file, `durable` is `rw` whose writes are durable
   * when they resolve, as if each were followed by `sync` (O_DSYNC: one step instead of two);
   * `create` makes a new file and rejects with EEXIST if it is there. Folders: `makeDir`.
   */
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in a folder, sorted; empty when the folder does not exist. */
  list(dir: string): Promise<string[]>;
  makeDir(dir: string): Promise<void>;
  /** Replaces `to` if it exists. */
  rename(from: string, to: string): Promise<void>;
  /** No error when it is not there. */
  remove(path: string): Promise<void>;
  syncDir(dir: string): Promise<void>;
  /** Bytes that this process may still write. */
  freeBytes(): Promise<number>;
  /**
   * Takes the directory for this process until the returned function is called or the process
   * ends, however it ends. Rejects with DiskError ELOCKED when another process has it.
   */
  lock(): Promise<() => Promise<void>>;
}

export type OpenMode = "r" | "rw" | "durable" | "create";

export interface DiskFile {
  /** Reads into `into` from byte `position`; returns how many bytes: fewer only at the file's end. */
  read(position: number, into: Uint8Array): Promise<number>;
  /** Writes all parts from `position` on. Rejects with DiskError (ENOSPC, EIO, …); some may be written. */
  write(position: number, parts: readonly Uint8Array[]): Promise<void>;
  /** fdatasync. A failure is final: what was written may be lost even if a later call succeeds. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** `code` is the system's: ENOENT, EEXIST, ENOSPC, EIO, EACCES, … or ELOCKED. */
export class DiskError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "DiskError";
    this.code = code;
  }
}

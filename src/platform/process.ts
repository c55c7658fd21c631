/** The process around the node: arguments, environment, signals, and the few files outside the data directory. */
import type { Cancel } from "./clock.ts";
import { DiskError } from "./disk.ts";

export interface Process {
  onSignal(signal: "SIGTERM" | "SIGINT" | "SIGHUP", fn: () => void): Cancel;
  exit(code: number): never;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  rssBytes(): number;
  /** User plus system CPU time so far, milliseconds. */
  cpuMs(): number;
  /**
   * A file outside the data directory: configuration, certificates, secrets. Rejects with DiskError: the system's
   * codes, or those of FileLimits.
   */
  readTextFile(path: string, limits?: FileLimits): Promise<string>;
  fileExists(path: string): Promise<boolean>;
  /** Creates or replaces a file outside the data directory (exports), synced. `mode` is octal, e.g. 0o600. */
  writeFile(path: string, chunks: AsyncIterable<Uint8Array>, mode: number): Promise<void>;
  hostname(): string;
  readonly pid: number;
  /** "node 24.21.0" */
  readonly runtime: string;
}

export interface TextSink {
  write(text: string): void;
  /** True when a person is looking at it. */
  readonly isTerminal: boolean;
}

/** What a file must be to be read; PUBLIC_FILE when nothing is said. */
export interface FileLimits {
  /** One that is larger: EFBIG. */
  readonly maxBytes: number;
  /** No pipe, device or folder (ENOTFILE); one that is ours is for us alone, as ssh wants it of keys (EMODE). */
  readonly isSecret: boolean;
}

export const PUBLIC_FILE: FileLimits = { maxBytes: 1024 * 1024, isSecret: false };
/** A password, a token, the cluster secret. */
export const SECRET_FILE: FileLimits = { maxBytes: 4096, isSecret: true };
/** A private key as PEM. */
export const KEY_FILE: FileLimits = { maxBytes: 64 * 1024, isSecret: true };

/** Behind "Cannot read FILE: "; of an error of readTextFile. */
export function whyUnread(error: unknown): string {
  if (!(error instanceof DiskError)) return String(error);
  return UNREAD[error.code] ?? error.code;
}

const UNREAD: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EACCES: "this user may not read it (EACCES)",
  ENOTFILE: "it is no regular file",
  EFBIG: "it is larger than such a file can be",
  EMODE: "others than its owner may read or write it; chmod 600 it",
};

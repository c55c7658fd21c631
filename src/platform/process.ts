import type { Cancel } from "./clock.ts";

/** The process around the node. */
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
  /** A file outside the data directory: configuration, certificates, secrets. Rejects with DiskError. */
  readTextFile(path: string): Promise<string>;
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

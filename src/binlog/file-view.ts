/**
 * The binlog files that replicas believe in, and how they relate to the source's.
 *
 * A source's file keeps its name when its number is above all numbers used so far (purged ones
 * included); else it gets the next number. The base name is the first file's for ever. Offsets
 * are never rewritten: a file pulled from its first byte is the source's file, byte for byte.
 */
import type { GtidSet } from "../gtid/gtid-set.ts";

/** How a file ended. `open` is the newest one of a source that still writes it. */
export type FileEnd =
  | "open"
  /** Its ROTATE is stored. */
  | "rotate"
  /** Its STOP is stored: the source shut down. */
  | "stop"
  /** The source's next file began without either: it crashed, and the file ends here. */
  | "crash"
  /** The source had purged the file when we came back: whether it went on is not known. */
  | "tail-unknown";

export interface BinlogFile {
  readonly name: string;
  readonly number: number;
  readonly sourceName: string;
  readonly sourceUuid: string;
  readonly epoch: number;
  /** The Raft entry whose chunk begins it. */
  readonly startEntry: number;
  /** What the stream had before this file: the GTID index that decides where replicas start. */
  readonly gtidsBefore: GtidSet;
  /** End of its last visible unit: what a replica sees as the file's size. */
  size: number;
  end: FileEnd;
  /** Bytes of it were not pulled: it has holes and is not the source's file byte for byte. */
  partial: boolean;
  /** Seconds since 1970 of its first and last event. */
  firstTimestamp: number;
  lastTimestamp: number;
}

export interface FileName {
  readonly base: string;
  readonly number: number;
}

/** "binlog.000003" → base "binlog", number 3. The base may contain dots. */
export function parseFileName(name: string): FileName | null {
  const dot = name.lastIndexOf(".");
  const digits = name.slice(dot + 1);
  if (dot <= 0 || !/^[0-9]{1,10}$/.test(digits)) return null;
  return { base: name.slice(0, dot), number: Number(digits) };
}

/** MySQL pads to six digits and simply grows beyond 999999. */
export function formatFileName(base: string, number: number): string {
  return `${base}.${String(number).padStart(6, "0")}`;
}

/** The name under which the next source file is served. */
export function nextFileName(sourceName: string, base: string | null, highest: number): FileName {
  const parsed = parseFileName(sourceName);
  const number = parsed !== null && parsed.number > highest ? parsed.number : highest + 1;
  return { base: base ?? parsed?.base ?? "binlog", number };
}

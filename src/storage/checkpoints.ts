/**
 * Where the log's checkpoints stand. Of each segment at most two are remembered, by place and not by
 * content: the one at its head (every segment begins with one, unless there was none) and the newest.
 * These are the two that are found again after a restart: the segment's index record names the newest
 * one, and the head is where it always is.
 */
import type { DiskFile } from "../platform/disk.ts";
import { judgeBatch } from "./batch.ts";
import { readReadable } from "./files.ts";
import {
  BATCH_HEADER_BYTES,
  type Crc32,
  RECORD_HEADER_BYTES,
  RecordType,
  readBatchHeader,
  readRecordHeader,
  SEGMENT_HEADER_BYTES,
} from "./format.ts";
import type { Checkpoint } from "./storage.ts";

export interface CheckpointPlace {
  readonly index: number;
  readonly term: number;
  readonly segment: number;
  /** Of its batch, in the segment. */
  readonly at: number;
}

export class Checkpoints {
  /** In the order in which they were written. */
  #places: CheckpointPlace[] = [];

  add(place: CheckpointPlace): void {
    const last = this.#places[this.#places.length - 1];
    if (last?.segment === place.segment && (last.at === place.at || !atHead(last)))
      this.#places.pop();
    this.#places.push(place);
  }

  /** Where the newest one of a segment stands; 0 when it has none. */
  newestIn(segment: number): number {
    return this.#places.findLast((place) => place.segment === segment)?.at ?? 0;
  }

  /** The term of the entry at `index`, if a checkpoint ends there and knows it. */
  term(index: number): number | undefined {
    const term = this.#places.find((place) => place.index === index)?.term;
    // An apply that did not know it wrote zero.
    return term === 0 && index > 0 ? undefined : term;
  }

  /** All, newest first. */
  newestFirst(): CheckpointPlace[] {
    return this.#places.toReversed();
  }

  /**
   * Those below `index` with which the log goes on without a gap, newest first. `index` is what a
   * peer may ask for, `firstIndex` what the log begins with.
   */
  before(index: number, firstIndex: number): CheckpointPlace[] {
    return this.newestFirst().filter(
      (place) => place.index < index && place.index + 1 >= firstIndex,
    );
  }

  dropSegmentsBelow(segment: number): void {
    this.#places = this.#places.filter((place) => place.segment >= segment);
  }

  /** The log is another one, which begins with this. */
  reset(place: CheckpointPlace): void {
    this.#places = [place];
  }
}

/** It stays findable whatever is written into its segment later. */
export function atHead(place: CheckpointPlace): boolean {
  return place.at === SEGMENT_HEADER_BYTES;
}

/**
 * Which checkpoint is in the batch at `at`; null when there is none. Of a batch that begins with one,
 * which is how they are written, only the headers are read.
 */
export async function findCheckpoint(
  file: DiskFile,
  segment: number,
  at: number,
  crc32: Crc32,
): Promise<CheckpointPlace | null> {
  const recordsAt = BATCH_HEADER_BYTES;
  const head = new Uint8Array(recordsAt + RECORD_HEADER_BYTES);
  const read = await readReadable(file, at, head);
  const header = readBatchHeader(head.subarray(0, read), 0, crc32);
  if (header === null || header.records === 0) return null;
  const first = readRecordHeader(head, recordsAt, recordsAt + header.recordBytes, crc32);
  const begins = first?.type === RecordType.CHECKPOINT;
  // The head of a segment without one: its first batch may be large.
  if (!begins && at === SEGMENT_HEADER_BYTES) return null;
  const found = begins ? first : await readCheckpoint(file, at, crc32);
  return found === null ? null : { index: found.index, term: found.term, segment, at };
}

/** The same with its content, which is a copy; null also when that is damaged. */
export async function readCheckpoint(
  file: DiskFile,
  at: number,
  crc32: Crc32,
): Promise<Checkpoint | null> {
  const head = new Uint8Array(BATCH_HEADER_BYTES);
  const read = await readReadable(file, at, head);
  const header = readBatchHeader(head.subarray(0, read), 0, crc32);
  if (header === null) return null;
  const bytes = new Uint8Array(header.length);
  const got = await readReadable(file, at, bytes);
  const verdict = judgeBatch(bytes.subarray(0, got), 0, crc32);
  if (verdict.kind !== "whole" && verdict.kind !== "payload-damage") return null;
  const record = verdict.records.find(({ type, whole }) => whole && type === RecordType.CHECKPOINT);
  if (record === undefined) return null;
  const { index, term } = record;
  return { index, term, data: bytes.slice(record.at, record.at + record.length) };
}

/** The first of these places whose checkpoint can be read; null when there is none. */
export async function firstWhole(
  files: ReadonlyMap<number, DiskFile>,
  crc32: Crc32,
  places: readonly CheckpointPlace[],
): Promise<{ readonly place: CheckpointPlace; readonly checkpoint: Checkpoint } | null> {
  for (const place of places) {
    const checkpoint = await readCheckpoint(files.get(place.segment)!, place.at, crc32);
    if (checkpoint !== null) return { place, checkpoint };
  }
  return null;
}

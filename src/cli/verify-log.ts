/**
 * Walks every byte of a stopped node's log, read-only: segment headers, every batch and payload
 * by its checksums, and the chain of batches from one segment to the next. The judgement of a
 * batch is storage's own (storage/scan.ts).
 */
import type { Clock } from "../platform/clock.ts";
import { type Disk, DiskError, type DiskFile } from "../platform/disk.ts";
import { readReadable } from "../storage/files.ts";
import {
  type Crc32,
  decodeSegmentHeader,
  RecordType,
  SEGMENT_HEADER_BYTES,
} from "../storage/format.ts";
import { ManifestStore, type SegmentEntry } from "../storage/manifest.ts";
import { scanSegment } from "../storage/scan.ts";
import { segmentPath } from "../storage/segment-file.ts";

export interface SegmentVerdict {
  readonly id: number;
  readonly path: string;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly batches: number;
  readonly entries: number;
  readonly bytes: number;
  /** `torn` is harmless: an unfinished last write that was never acknowledged. */
  readonly verdict: "ok" | "torn" | "damaged" | "missing";
  readonly findings: readonly string[];
}

export interface LogReport {
  readonly dataDir: string;
  readonly clusterId: string;
  readonly segments: readonly SegmentVerdict[];
  readonly ms: number;
}

/** What the next segment must continue; null after damage: then its own header is believed. */
type Chain = { number: number; crc: number; lastIndex: number } | null;

/** Rejects with DiskError ELOCKED while a node runs, LogCorrupt, or UnknownFormat. */
export async function verifyLog(disk: Disk, clock: Clock, crc32: Crc32): Promise<LogReport | null> {
  const started = clock.mono();
  const release = await disk.lock();
  try {
    const manifest = await new ManifestStore(disk, crc32).read();
    if (manifest === null) return null;
    const segments: SegmentVerdict[] = [];
    let chain: Chain = null;
    for (const segment of manifest.segments) {
      const result = await verifySegment(disk, crc32, segment, chain);
      segments.push(result.verdict);
      chain = result.chain;
    }
    const { clusterId } = manifest.identity;
    return { dataDir: disk.root, clusterId, segments, ms: Math.round(clock.mono() - started) };
  } finally {
    await release();
  }
}

interface Verified {
  readonly verdict: SegmentVerdict;
  readonly chain: Chain;
}

async function verifySegment(
  disk: Disk,
  crc32: Crc32,
  segment: SegmentEntry,
  chain: Chain,
): Promise<Verified> {
  const path = segmentPath(segment.firstIndex, segment.id);
  let file: DiskFile;
  try {
    file = await disk.open(path, "r");
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const findings = [
      error.code === "ENOENT" ? "the manifest names it and it is not there" : error.message,
    ];
    return { verdict: { ...empty(segment, path), verdict: "missing", findings }, chain: null };
  }
  try {
    return await scanFile(file, crc32, segment, path, chain);
  } finally {
    await file.close();
  }
}

async function scanFile(
  file: DiskFile,
  crc32: Crc32,
  segment: SegmentEntry,
  path: string,
  chain: Chain,
): Promise<Verified> {
  const head = new Uint8Array(SEGMENT_HEADER_BYTES);
  const read = await readReadable(file, 0, head);
  let header: ReturnType<typeof decodeSegmentHeader>;
  try {
    header = decodeSegmentHeader(head.subarray(0, read), crc32);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "MalformedBytes") throw error;
    const findings = ["both copies of its header are damaged"];
    return { verdict: { ...empty(segment, path), verdict: "damaged", findings }, chain: null };
  }
  const findings: string[] = [];
  if (header.segmentId !== segment.id)
    findings.push(`its header says that it is segment ${header.segmentId}`);
  if (header.firstBatch !== segment.firstBatch)
    findings.push("its first batch is not the one that the manifest names");
  if (
    chain !== null &&
    (header.firstBatch !== chain.number || header.previousBatchCrc !== chain.crc)
  ) {
    findings.push("it does not continue the segment before it");
  }
  const expected = {
    number: header.firstBatch,
    previousCrc: header.previousBatchCrc,
    end: header.before,
    commit: header.hardState.commit,
  };
  let batches = 0;
  let entries = 0;
  let lastIndex = segment.firstIndex - 1;
  let last = { number: header.firstBatch, crc: header.previousBatchCrc };
  const end = await scanSegment(file, expected, crc32, (batch) => {
    batches++;
    last = { number: batch.header.number + 1, crc: batch.crc };
    for (const record of batch.records) {
      if (record.type === RecordType.ENTRY) {
        entries++;
        lastIndex = record.index;
      } else if (!record.whole)
        findings.push(`a record of type ${record.type} at ${batch.at} is damaged`);
    }
  });
  for (const { fromIndex, toIndex, why } of end.damage)
    findings.push(`entries ${fromIndex} to ${toIndex}: ${why}`);
  if (end.corrupt !== null) findings.push(end.corrupt);
  const sealed = segment.footer;
  if (sealed !== null && lastIndex < sealed.lastIndex) {
    findings.push(`it ends at entry ${lastIndex}, the manifest says ${sealed.lastIndex}`);
  }
  const torn = end.tornUntil > 0;
  if (torn && sealed !== null) findings.push("it was finished and its end is torn");
  const damaged = findings.length > 0;
  if (torn && !damaged)
    findings.push(
      `the last write was not finished: ${end.tornUntil - end.end} bytes that were never acknowledged`,
    );
  const verdict = damaged ? "damaged" : torn ? "torn" : "ok";
  const counted = { batches, entries, lastIndex, bytes: end.end };
  return {
    verdict: { ...empty(segment, path), ...counted, verdict, findings },
    chain: damaged ? null : { ...last, lastIndex },
  };
}

function empty(segment: SegmentEntry, path: string): Omit<SegmentVerdict, "verdict" | "findings"> {
  const { id, firstIndex } = segment;
  return { id, path, firstIndex, lastIndex: firstIndex - 1, batches: 0, entries: 0, bytes: 0 };
}

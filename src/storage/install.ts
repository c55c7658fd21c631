/**
 * Replacing the log by one that begins behind a checkpoint: a Raft snapshot that was received.
 *
 * The new segment is written and synced beside the log, with the hard state in its header and the
 * checkpoint as its first batch. The manifest that names it, and nothing else, makes it the log:
 * before that it is a stray that the next start removes, behind that the old segments are.
 */
import type { Clock } from "../platform/clock.ts";
import { type Disk, DiskError, type DiskFile } from "../platform/disk.ts";
import type { HardState } from "../raft/types.ts";
import type { BatchAssembler, NewRecord } from "./batch.ts";
import { type Crc32, encodeSegmentHeader, type LogEnd, SEGMENT_HEADER_BYTES } from "./format.ts";
import { hexBytes, type Identity, type SegmentEntry } from "./manifest.ts";
import { patiently } from "./patience.ts";
import { LOG_DIR, type NextSegment, NO_SPACE, segmentPath } from "./segment-file.ts";
import { LogFull } from "./storage.ts";

export interface NewHead {
  readonly segment: SegmentEntry;
  /** CRC of the batch before the segment's first. */
  readonly previousCrc: number;
  readonly hardState: HardState;
  /** What the log ends with before it. */
  readonly before: LogEnd;
}

/** Gives a prepared file its header; durable under its name when it resolves. The file stays open. */
export async function installSegment(
  file: DiskFile,
  next: NextSegment,
  identity: Identity,
  { segment, previousCrc, hardState, before }: NewHead,
  crc32: Crc32,
  first?: Uint8Array,
): Promise<void> {
  const header = encodeSegmentHeader(
    {
      segmentId: segment.id,
      firstIndex: segment.firstIndex,
      firstBatch: segment.firstBatch,
      previousBatchCrc: previousCrc,
      hardState,
      before,
      diskUuid: hexBytes(identity.diskUuid),
      clusterId: hexBytes(identity.clusterId),
      raftId: identity.raftId,
    },
    crc32,
  );
  await file.write(0, first === undefined ? [header] : [header, first]);
  await next.install(segmentPath(segment.firstIndex, segment.id));
}

/**
 * Writes the segment that begins a log with a checkpoint, which `records` are; returns its open file, where
 * its first batch ends, and that batch's CRC. Rejects with LogFull when the disk has no space for it.
 */
export async function installHead(
  next: NextSegment,
  assembler: BatchAssembler,
  identity: Identity,
  head: NewHead,
  records: readonly NewRecord[],
  crc32: Crc32,
): Promise<{ file: DiskFile; at: number; crc: number }> {
  const file = await next.take();
  if (file === null) throw new LogFull();
  const { hardState, previousCrc, segment, before } = head;
  const { bytes, crc } = assembler.assemble(
    records,
    segment.firstBatch,
    previousCrc,
    before,
    hardState,
  );
  try {
    await installSegment(file, next, identity, head, crc32, bytes);
  } catch (error) {
    await file.close();
    if (!(error instanceof DiskError) || !NO_SPACE.has(error.code)) throw error;
    // A checkpoint larger than a segment: nothing of the log was touched, and what is left of the
    // prepared file is removed where the next one is made.
    next.begin();
    throw new LogFull();
  }
  return { file, at: SEGMENT_HEADER_BYTES + bytes.length, crc };
}

/** Unlinks segments that the manifest no longer names. */
export async function unlinkSegments(
  disk: Disk,
  clock: Clock,
  files: Map<number, DiskFile>,
  gone: readonly SegmentEntry[],
): Promise<void> {
  for (const { id, firstIndex } of gone) {
    const file = files.get(id);
    files.delete(id);
    await file?.close();
    await disk.remove(segmentPath(firstIndex, id));
  }
  await patiently(clock, () => disk.syncDir(LOG_DIR));
}

/** What a log at work is made of, and where it stands when it was opened (open.ts makes both). */
import type { Clock } from "../platform/clock.ts";
import type { Disk, DiskFile } from "../platform/disk.ts";
import type { HardState } from "../raft/types.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { Crc32 } from "./format.ts";
import type { LogIndex } from "./log-index.ts";
import type { Identity, ManifestStore, SegmentEntry } from "./manifest.ts";
import type { Checkpoint, DamagedRange, StorageOptions } from "./storage.ts";

export interface LogParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly crc32: Crc32;
  readonly manifest: ManifestStore;
  readonly identity: Identity;
  readonly options: StorageOptions;
  readonly release: () => Promise<void>;
}

/** Where a log that was opened stands. */
export interface LogPosition {
  readonly segments: SegmentEntry[];
  readonly installs: number;
  readonly files: Map<number, DiskFile>;
  readonly index: LogIndex;
  readonly at: number;
  /** How long the active segment's file is. */
  readonly activeBytes: number;
  readonly batchNumber: number;
  readonly previousCrc: number;
  readonly hardState: HardState;
  readonly checkpoint: Checkpoint | null;
  readonly checkpoints: Checkpoints;
  readonly damage: DamagedRange[];
  /** Of the active segment, for its index record. */
  readonly cuts: number[];
}

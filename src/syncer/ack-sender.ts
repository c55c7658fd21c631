/**
 * Semi-sync ACKs of one pull (host.ts, invariant 2): sent when apply has accepted a chunk in which
 * the source waits for a transaction, for the highest position that is committed and applied.
 */
import type { Chunk } from "../binlog/chunk.ts";
import type { BuiltChunk } from "../binlog/chunk-builder.ts";
import type { Outcome } from "../binlog/stream-state.ts";
import type { Clock } from "../platform/clock.ts";
import type { DumpConnection } from "./dump-connection.ts";
import type { SyncerHost } from "./host.ts";

const QUIET_ACK_MS = 100;

/** Counted over all pulls. */
export interface AckProgress {
  acksSent: number;
  ackedFile: string;
  ackedPosition: number;
}

export class AckSender {
  readonly #clock: Clock;
  readonly #host: SyncerHost;
  readonly #dump: DumpConnection;
  /** The server at the other end. */
  readonly #sourceUuid: string;
  readonly #progress: AckProgress;
  /** Pull sequences of chunks with a transaction that a session of the source waits for. */
  readonly #wanted = new Set<number>();
  #lastAckMs = 0;

  constructor(
    clock: Clock,
    host: SyncerHost,
    dump: DumpConnection,
    sourceUuid: string,
    progress: AckProgress,
  ) {
    this.#clock = clock;
    this.#host = host;
    this.#dump = dump;
    this.#sourceUuid = sourceUuid;
    this.#progress = progress;
  }

  proposed({ ackWanted, pullSequence }: BuiltChunk): void {
    if (ackWanted) this.#wanted.add(pullSequence);
  }

  /** A chunk of this pull was applied. */
  accepted({ pullSequence }: Chunk, outcome: Outcome & { accepted: true }): void {
    const wanted = this.#wanted.delete(pullSequence);
    if (outcome.visibleMoved && wanted) this.ackVisible();
  }

  /** All that is committed and applied of this source, in its own file and position. */
  ackVisible(): void {
    const { file, epoch } = this.#host.stream;
    if (!this.#dump.semiSync || file === null) return;
    if (file.sourceUuid !== this.#sourceUuid || file.epoch !== epoch) return;
    this.#dump.ack(file.sourceName, file.size);
    this.#lastAckMs = this.#clock.mono();
    this.#progress.acksSent++;
    this.#progress.ackedFile = file.sourceName;
    this.#progress.ackedPosition = file.size;
  }

  /** What came without a request, as while catching up, is acknowledged when it is quiet. */
  ackQuietly(): void {
    const { file } = this.#host.stream;
    const { ackedFile, ackedPosition } = this.#progress;
    if (file === null || (ackedFile === file.sourceName && ackedPosition === file.size)) return;
    if (this.#clock.mono() - this.#lastAckMs >= QUIET_ACK_MS) this.ackVisible();
  }
}

/**
 * A pull that has begun: bytes of the dump connection become chunks, chunks are proposed, and the
 * socket is not read while too much of them is on its way (PENDING_BYTES).
 */
import { ChunkFlag, type Pull } from "../binlog/chunk.ts";
import type { BuiltChunk } from "../binlog/chunk-builder.ts";
import type { MysqlError } from "../mysql/errors.ts";
import { decodeErr } from "../mysql/response.ts";
import type { Platform } from "../platform/platform.ts";
import type { AckSender } from "./ack-sender.ts";
import type { DumpConnection } from "./dump-connection.ts";
import { EventStream } from "./event-stream.ts";
import type { SyncerHost } from "./host.ts";
import { sourceOf } from "./last-proof.ts";
import type { Attached } from "./named-dump.ts";
import type { SourceFacts } from "./source-checks.ts";
import type { SilenceWatch } from "./source-watch.ts";
import { StreamError } from "./stream-error.ts";

/** Proposed and not yet applied: beyond it the socket is not read. */
export const PENDING_BYTES: number = 16 * 1024 * 1024;

/** This pull's chunks were not taken, or the node stopped leading: begin again. */
export class PullEnded extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PullEnded";
  }
}

export interface PullStreamParts {
  readonly platform: Platform;
  readonly host: SyncerHost;
  readonly pull: Pull;
  readonly dump: DumpConnection;
  readonly attached: Attached;
  readonly facts: SourceFacts;
  readonly acks: AckSender;
  readonly silence: SilenceWatch;
  readonly progress: { file: string; receivedBytes: number };
  /** Throws when this node does. */
  readonly mustLead: () => void;
  /** What ended the session, from wherever. */
  readonly failure: () => Error | null;
  readonly fail: (error: Error) => void;
}

export class PullStream {
  readonly #parts: PullStreamParts;
  readonly #events: EventStream;
  #flushQueued = false;

  constructor(parts: PullStreamParts) {
    this.#parts = parts;
    const { platform, host, pull, dump, attached, facts } = parts;
    const { stream } = host;
    this.#events = new EventStream({
      semiSync: dump.semiSync,
      crc32: platform.crypto.crc32,
      checksum: attached.checksum,
      cursor: {
        epoch: stream.epoch,
        pull,
        source: sourceOf(facts),
        pullSequence: 0,
        streamOffset: stream.visibleEnd,
        file: attached.file,
        fileOffset: attached.fileOffset,
        sequence: stream.visibleSequence,
        flags: ChunkFlag.RESTARTS,
      },
      takeBuffer: () => host.pool.take(),
    });
  }

  async run(): Promise<never> {
    const { host, dump, attached, failure } = this.#parts;
    const events = this.#events;
    for (const packet of attached.pushed) this.#take(packet);
    for (;;) {
      const failed = failure();
      if (failed !== null) throw failed;
      if (events.ending !== null) {
        this.#propose(events.takeReady());
        throw endingError(events.ending);
      }
      if (host.pendingBytes > PENDING_BYTES) await host.progressed.wait();
      else if (!(await dump.client.connection.consumeStream((bytes) => this.#take(bytes)))) {
        throw failure() ?? new StreamError("malformed", "The source closed the connection");
      }
    }
  }

  /** Parses and proposes what came. False when no more is wanted: trouble, the end, or enough is pending. */
  #take(bytes: Uint8Array): boolean {
    const { host, progress, silence, failure, fail } = this.#parts;
    const events = this.#events;
    if (failure() !== null) return false;
    silence.heard();
    progress.receivedBytes += bytes.length;
    try {
      for (let at = 0; at < bytes.length && events.ending === null; ) {
        at += events.push(at === 0 ? bytes : bytes.subarray(at));
        while (this.#propose(events.takeFull()));
      }
    } catch (error) {
      fail(error as Error);
      return false;
    }
    progress.file = events.file;
    this.#flushSoon();
    return events.ending === null && host.pendingBytes <= PENDING_BYTES;
  }

  /** Once all that has arrived was taken, not piece by piece. */
  #flushSoon(): void {
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    this.#parts.platform.clock.soon(() => this.#flushNow());
  }

  #flushNow(): void {
    this.#flushQueued = false;
    if (this.#parts.failure() !== null) return;
    try {
      this.#flush();
    } catch (error) {
      this.#parts.fail(error as Error);
    }
  }

  /**
   * Proposes what stands in whole units. While a batch is being written it would only wait for the
   * next one: then it may as well grow until that begins.
   */
  #flush(): void {
    const { host, acks } = this.#parts;
    if (!host.isWriting) {
      if (!this.#propose(this.#events.takeReady())) acks.ackQuietly();
      return;
    }
    if (this.#flushQueued) return;
    this.#flushQueued = true;
    host.progressed.once(() => this.#flushNow());
  }

  #propose(chunk: BuiltChunk | null): boolean {
    if (chunk === null) return false;
    const { host, acks, mustLead } = this.#parts;
    mustLead();
    acks.proposed(chunk);
    host.propose(chunk.payload);
    return true;
  }
}

function endingError(packet: Uint8Array): Error {
  if (packet[0] === 0xff) return decodeErr(packet) as MysqlError;
  return new PullEnded("The source ended the dump: it is shutting down");
}

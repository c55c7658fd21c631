/**
 * Writes what a dump has to send, with back-pressure: one write at a time, nothing further before
 * the socket took enough of it. A replica that takes nothing for the write time-out is closed.
 *
 * Shared bytes are held until the socket sent them (`hold`). What the batch counts against the
 * budget of the log's readers is given back earlier, when the write is through or after two
 * seconds: a slow replica must not keep the others from reading.
 */
import type { BufferPool } from "../base/buffer-pool.ts";
import type { Logger } from "../base/logger.ts";
import type { PacketConnection } from "../mysql/connection.ts";
import type { Clock } from "../platform/clock.ts";
import { drainedInTime } from "./drained.ts";
import type { Outbox } from "./framing.ts";
import type { StreamPieces } from "./stream.ts";

/** Compression is synchronous: this much at a time. */
const COMPRESSED_WRITE_BYTES = 256 * 1024;
const RELEASE_MS = 2_000;

export interface SenderParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of copies; buffers come back when they were sent. */
  readonly copies: BufferPool;
  readonly writeTimeoutMs: number;
}

export class Sender {
  readonly #connection: PacketConnection;
  readonly #parts: SenderParts;
  sentBytes = 0;
  /** Monotonic, of the last write. */
  lastSentMs: number;

  constructor(connection: PacketConnection, parts: SenderParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.lastSentMs = parts.clock.mono();
  }

  /** Resolves when there is room for more. Rejects with ConnectionLost. */
  async send(outbox: Outbox, batch: StreamPieces | null): Promise<void> {
    const bytes = outbox.bytes;
    if (bytes === 0) return;
    const { parts, copies } = outbox.take();
    this.sentBytes += bytes;
    this.lastSentMs = this.#parts.clock.mono();
    if (this.#connection.compressed) {
      await this.#sendCompressed(parts);
      this.#giveBack(copies);
      return;
    }
    const letGo = batch?.hold();
    const ready = this.#connection.writeFramed(parts, () => {
      letGo?.();
      this.#giveBack(copies);
    });
    if (!ready) await this.#drained(batch);
  }

  #giveBack(copies: readonly Uint8Array[]): void {
    for (const copy of copies) this.#parts.copies.give(copy);
  }

  async #sendCompressed(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      for (let at = 0; at < part.length; at += COMPRESSED_WRITE_BYTES) {
        const piece = part.subarray(at, at + COMPRESSED_WRITE_BYTES);
        if (!this.#connection.writeFramed([piece])) await this.#drained(null);
        if (part.length > COMPRESSED_WRITE_BYTES) {
          await new Promise<void>((resolve) => this.#parts.clock.soon(resolve));
        }
      }
    }
  }

  async #drained(batch: StreamPieces | null): Promise<void> {
    await drainedInTime(this.#connection, this.#parts, {
      waited: (ms) => {
        if (ms >= RELEASE_MS) batch?.release();
      },
      gaveUp: (ms) => this.#giveUp(ms),
    });
  }

  #giveUp(waitedMs: number): void {
    const fields = { waitedMs: Math.round(waitedMs) };
    this.#parts.logger.warn("Replica takes no data: its connection is closed", fields);
  }
}

/**
 * One end of a simulated connection. Bytes go from the outbox over a pipe (latency, order, black
 * holes; see net.ts) into the inbox of the other end, within a window: a peer that does not read
 * stalls the writer as a real one does. What is written leaves later, and its writer hears of that later
 * still, as the contract of `Conn.write` allows. Closing follows the rules of the real connection.
 */
import { assert } from "../../src/base/assert.ts";
import type {
  CloseReason,
  Conn,
  TlsClientOptions,
  TlsInfo,
  TlsServerOptions,
} from "../../src/platform/net.ts";
import { NetError } from "../../src/platform/net.ts";
import type { Life } from "./life.ts";
import { type ConnWatch, Outbox } from "./outbox.ts";
import type { Pipe } from "./pipe.ts";
import { secureMemoryConn } from "./tls.ts";

const WINDOW_BYTES = 1024 * 1024;
const WRITE_HIGH_BYTES = 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const LINGER_MS = 2_000;
const FLUSH_MS = 30_000;

/** What a connection knows of the machine that it belongs to. */
export interface ConnHost {
  wall(): number;
}

export class MemoryConn implements Conn {
  readonly peer: string;
  readonly life: Life;
  readonly closed: Promise<CloseReason>;
  /** Set once by `pair`. */
  other!: MemoryConn;
  tls: TlsInfo | null = null;
  readonly #pipe: Pipe;
  #resolveClosed!: (reason: CloseReason) => void;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #ended = false;
  #reader: ((bytes: Uint8Array | null) => void) | null = null;
  #consumer: { take: (bytes: Uint8Array) => boolean; done: (more: boolean) => void } | null = null;
  readonly #outbox: Outbox;
  #willPump = false;
  /** Of writes that left, and whose writers were not told yet; in their order. */
  readonly #untold: (() => void)[] = [];
  #inFlightBytes = 0;
  #drains: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #cause: CloseReason | null = null;
  #finishing = false;
  #finSent = false;
  #finReceived = false;
  #gone = false;

  readonly #host: ConnHost;
  readonly #watch: ConnWatch;

  constructor(life: Life, peer: string, pipe: Pipe, host: ConnHost, watch: ConnWatch) {
    this.life = life;
    this.#host = host;
    this.#watch = watch;
    const { onChangedBytes } = watch;
    const where = `${life.name} to ${peer}`;
    this.#outbox = new Outbox(onChangedBytes === null ? null : () => onChangedBytes(where));
    this.peer = peer;
    this.#pipe = pipe;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  static pair(a: MemoryConn, b: MemoryConn): void {
    a.other = b;
    b.other = a;
  }

  read(): Promise<Uint8Array | null> {
    assert(
      this.#reader === null && this.#consumer === null,
      "a connection has one reader at a time",
    );
    if (!this.life.alive) return new Promise(() => {});
    const bytes = this.readNow();
    if (bytes !== null || this.#ended) return Promise.resolve(bytes);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  readNow(): Uint8Array | null {
    const bytes = this.#inbox.shift();
    if (bytes === undefined) return null;
    this.#inboxBytes -= bytes.length;
    this.life.after(0, "window opens", () => this.other.#pump());
    return bytes;
  }

  consume(take: (bytes: Uint8Array) => boolean): Promise<boolean> {
    assert(
      this.#reader === null && this.#consumer === null,
      "a connection has one reader at a time",
    );
    if (!this.life.alive) return new Promise(() => {});
    for (let bytes = this.readNow(); bytes !== null; bytes = this.readNow()) {
      if (!this.#give(take, bytes)) return Promise.resolve(true);
    }
    if (this.#ended) return Promise.resolve(false);
    return new Promise((done) => {
      this.#consumer = { take, done };
    });
  }

  /** What was given is overwritten behind the call, as a real one may do. */
  #give(take: (bytes: Uint8Array) => boolean, bytes: Uint8Array): boolean {
    const lent = bytes.slice();
    const more = take(lent);
    lent.fill(0xdd);
    return more;
  }

  #endConsuming(more: boolean): void {
    this.#consumer?.done(more);
    this.#consumer = null;
  }

  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    assert(this.#reader === null, "bytes are put back only when nobody reads");
    this.#inbox.unshift(bytes);
    this.#inboxBytes += bytes.length;
  }

  get queuedBytes(): number {
    return this.#outbox.bytes;
  }

  write(parts: readonly Uint8Array[], onSent?: () => void): boolean {
    if (this.#cause !== null || this.#gone || !this.life.alive) {
      onSent?.();
      return false;
    }
    this.#outbox.push(parts, onSent ?? null);
    this.#pumpLater();
    return this.#outbox.bytes < WRITE_HIGH_BYTES;
  }

  #pumpLater(): void {
    if (this.#willPump) return;
    this.#willPump = true;
    this.life.after(this.#pipe.leavesMs(), "bytes leave", () => {
      this.#willPump = false;
      this.#pump();
    });
  }

  /** Never inside the call that made them leave, and now and then a turn later. */
  #tellSent(sent: readonly (() => void)[]): void {
    if (sent.length === 0) return;
    this.#untold.push(...sent);
    const isLate = this.#pipe.isLate();
    this.#watch.onSent(isLate);
    const tell = (): void => {
      for (const one of this.#untold.splice(0, sent.length)) one();
    };
    this.life.after(isLate ? this.#pipe.lateMs() : 0, "sent", tell);
  }

  drained(): Promise<void> {
    if (this.#cause !== null || this.#gone) return Promise.reject(this.#closedError());
    if (this.#outbox.bytes < WRITE_HIGH_BYTES) return Promise.resolve();
    return new Promise((resolve, reject) => this.#drains.push({ resolve, reject }));
  }

  async startTls(options: TlsServerOptions | TlsClientOptions): Promise<Conn> {
    assert(this.tls === null, "TLS starts once on a connection");
    if (this.#ended || this.#cause !== null) throw this.#closedError();
    try {
      this.tls = await secureMemoryConn(this, options);
      return this;
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  end(): void {
    if (this.#gone || this.#finishing || !this.life.alive) return;
    this.#closeLocally();
    this.#finish(FLUSH_MS);
  }

  destroy(): void {
    if (this.#gone || !this.life.alive) return;
    const unread = this.#inboxBytes > 0;
    this.#closeLocally();
    // As a kernel does: a reset when bytes are left that nobody will read.
    if (unread) this.#pipe.send("reset", () => this.other.#reach("reset"));
    else if (!this.#finSent) this.#pipe.send("fin", () => this.other.#reach("fin"));
    this.#settle();
  }

  /** The connection is cut in the middle: this end learns of it as a reset. */
  cut(): void {
    this.#reach("reset");
  }

  /** The process is gone and its kernel says so to the other end. */
  abandon(): void {
    this.#pipe.send("reset", () => this.other.#reach("reset"));
  }

  #closeLocally(): void {
    this.#cause ??= { kind: "local" };
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#stopReading();
    this.#rejectDrains();
    this.life.after(0, "window opens", () => this.other.#pump());
  }

  #finish(flushMs: number): void {
    this.#finishing = true;
    this.life.after(flushMs, "flush deadline", () => this.#settle());
    this.#pump();
  }

  #pump(): void {
    if (this.#gone || !this.life.alive) return;
    // What was written in this turn leaves in a later one.
    if (this.#willPump) return;
    while (!this.#outbox.isEmpty) {
      const room = WINDOW_BYTES - this.#inFlightBytes - this.other.#inboxBytes;
      if (room <= 0) return;
      const { bytes, sent } = this.#outbox.take(Math.min(this.#pipe.pieceBytes(PIECE_BYTES), room));
      this.#tellSent(sent);
      if (bytes.length === 0) continue;
      this.#inFlightBytes += bytes.length;
      this.#pipe.send(`data ${bytes.length}`, () => this.#arrive(bytes));
    }
    if (this.#outbox.bytes < WRITE_HIGH_BYTES) {
      for (const waiter of this.#drains.splice(0)) waiter.resolve();
    }
    if (this.#finishing && !this.#finSent) {
      this.#finSent = true;
      this.#pipe.send("fin", () => this.other.#reach("fin"));
      if (this.#finReceived) this.#settle();
      else this.life.after(LINGER_MS, "linger", () => this.#settle());
    }
  }

  /** Bytes of ours reached the other machine. */
  #arrive(piece: Uint8Array): void {
    const other = this.other;
    if (!other.life.alive || other.#gone) {
      this.#inFlightBytes -= piece.length;
      // A machine without power is silent; one that runs again knows no such connection.
      if (this.#pipe.targetIsUp()) other.#pipe.send("reset", () => this.#reach("reset"));
      return;
    }
    other.life.reach(() => this.#deliver(piece));
  }

  #deliver(piece: Uint8Array): void {
    this.#inFlightBytes -= piece.length;
    const other = this.other;
    if (!other.life.alive || other.#gone) return;
    const reader = other.#reader;
    const consumer = other.#consumer;
    if (other.#ended) {
      this.#pump();
    } else if (consumer !== null) {
      if (!other.#give(consumer.take, piece)) other.#endConsuming(true);
      this.#pump();
    } else if (reader !== null) {
      other.#reader = null;
      reader(piece);
      this.#pump();
    } else {
      other.#inbox.push(piece);
      other.#inboxBytes += piece.length;
    }
  }

  #reach(what: "fin" | "reset"): void {
    this.life.reach(() => (what === "fin" ? this.#onFin() : this.#onReset()));
  }

  #onFin(): void {
    if (this.#gone || !this.life.alive) return;
    this.#finReceived = true;
    this.#cause ??= { kind: "eof" };
    this.#stopReading();
    this.#rejectDrains();
    if (this.#finSent) this.#settle();
    else if (!this.#finishing) this.#finish(LINGER_MS);
  }

  #onReset(): void {
    if (this.#gone || !this.life.alive) return;
    this.#cause ??= { kind: "reset", code: "ECONNRESET" };
    this.#settle();
  }

  #stopReading(): void {
    this.#ended = true;
    this.#reader?.(null);
    this.#reader = null;
    this.#endConsuming(false);
  }

  #rejectDrains(): void {
    for (const waiter of this.#drains.splice(0)) waiter.reject(this.#closedError());
  }

  #closedError(): NetError {
    const code = this.#cause?.code ?? (this.#cause?.kind === "local" ? "ECANCELED" : "EPIPE");
    return new NetError(code, `Connection to ${this.peer} is closed: ${code}`);
  }

  #settle(): void {
    if (this.#gone) return;
    this.#gone = true;
    // All memory is free before anybody learns that the connection is gone.
    const dropped = [...this.#untold.splice(0), ...this.#outbox.drop()];
    queueMicrotask(() => {
      for (const one of dropped) one();
    });
    this.#stopReading();
    this.#rejectDrains();
    this.#resolveClosed(this.#cause ?? { kind: "eof" });
  }

  /** The machine's wall clock, by which certificates are judged. */
  wall(): number {
    return this.#host.wall();
  }

  get gone(): boolean {
    return this.#gone;
  }
}

/**
 * One connection over a stream of `node:net` or `node:tls`: pulled reads from a bounded queue
 * that a 'data' listener fills, and writes of several parts as one send. The stream is never
 * piped or iterated (Deno loses the end of a TLS stream then).
 *
 * Does not re-connect, time out reads or frame anything; that is the work of the protocols.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { assert } from "../../src/base/assert.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import type {
  CloseReason,
  Conn,
  TlsClientOptions,
  TlsInfo,
  TlsServerOptions,
} from "../../src/platform/net.ts";
import { NetError } from "../../src/platform/net.ts";
import { wrapSocket } from "./duplex.ts";
import { codeOf, netError } from "./errors.ts";
import { secureClient, secureServer, tlsInfo } from "./tls.ts";

const READ_HIGH_BYTES = 1024 * 1024;
const READ_LOW_BYTES = 256 * 1024;
const WRITE_HIGH_BYTES = 1024 * 1024;
/** Parts from this size on are sent as they are; smaller ones are joined first. */
const ZERO_COPY_BYTES = 16 * 1024;
/** How long the other side may take to close after us, once everything was sent. */
const LINGER_MS = 2_000;
/** How long `end` tries to send what is queued to a peer that does not read. */
const FLUSH_MS = 30_000;

export interface ConnOptions {
  readonly wrapDuplex: boolean;
  readonly joinsCorked: boolean;
}

interface Flow {
  pause(): void;
  resume(): void;
}

export class NodeConn implements Conn {
  readonly peer: string;
  readonly tls: TlsInfo | null;
  readonly closed: Promise<CloseReason>;
  readonly #stream: Duplex;
  readonly #flow: Flow;
  readonly #options: ConnOptions;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;
  #paused = false;
  #ended = false;
  #reader: ((bytes: Uint8Array | null) => void) | null = null;
  #consumer: { take: (bytes: Uint8Array) => boolean; done: (more: boolean) => void } | null = null;
  #drains: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #cause: CloseReason | null = null;
  #gone = false;
  #handedOver = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: Duplex, peer: string, tls: TlsInfo | null, flow: Flow, options: ConnOptions) {
    this.#stream = stream;
    this.peer = peer;
    this.tls = tls;
    this.#flow = flow;
    this.#options = options;
    // What is queued then goes piece by piece, too.
    if (options.joinsCorked) Object.assign(stream, { _writev: null });
    this.closed = new Promise((resolve) => {
      const onClose = (): void => {
        this.#onClose();
        resolve(this.#cause ?? { kind: "eof" });
      };
      // A stream can be gone before its handshake was reported.
      if (stream.closed) onClose();
      else stream.once("close", onClose);
    });
    stream.on("error", this.#onError);
    stream.on("end", this.#onEnd);
    stream.on("data", this.#onData);
  }

  #onData = (chunk: Uint8Array): void => {
    // A Buffer answers `slice` with a view where a Uint8Array copies: it must not leave here.
    this.#arrived(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
  };

  /** Bytes in memory that the next ones will overwrite (net.ts). */
  onShared(bytes: Uint8Array): void {
    this.#arrived(this.#consumer === null ? bytes.slice() : bytes);
  }

  #arrived(bytes: Uint8Array): void {
    if (this.#ended) return;
    const consumer = this.#consumer;
    if (consumer !== null) {
      if (!consumer.take(bytes)) this.#endConsuming(true);
      return;
    }
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      reader(bytes);
      return;
    }
    this.#chunks.push(bytes);
    this.#chunkBytes += bytes.length;
    if (this.#chunkBytes >= READ_HIGH_BYTES && !this.#paused) {
      this.#paused = true;
      this.#flow.pause();
    }
  }

  #endConsuming(more: boolean): void {
    const consumer = this.#consumer;
    this.#consumer = null;
    consumer?.done(more);
  }

  #onEnd = (): void => {
    this.#cause ??= { kind: "eof" };
    this.#stopReading();
    // Nothing is half-closed: a peer that said it is done gets what is queued, for a while.
    this.#destroyAfter(LINGER_MS);
    this.#stream.end();
  };

  #onError = (error: unknown): void => {
    const code = codeOf(error, "EPROTO");
    const reset = code === "ECONNRESET" || code === "EPIPE" || code === "ECONNABORTED";
    this.#cause ??= { kind: reset ? "reset" : "error", code };
  };

  #onClose(): void {
    this.#gone = true;
    clearTimeout(this.#timer);
    this.#stopReading();
    const drains = this.#drains;
    this.#drains = [];
    for (const waiter of drains) waiter.reject(this.#closedError());
  }

  #stopReading(): void {
    this.#ended = true;
    const reader = this.#reader;
    this.#reader = null;
    reader?.(null);
    this.#endConsuming(false);
  }

  #closedError(): NetError {
    const code = this.#cause?.code ?? (this.#cause?.kind === "local" ? "ECANCELED" : "EPIPE");
    return new NetError(code, `Connection to ${this.peer} is closed: ${code}`);
  }

  #destroyAfter(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#stream.destroy(), ms);
    this.#timer.unref?.();
  }

  readNow(): Uint8Array | null {
    const bytes = this.#chunks.shift();
    if (bytes === undefined) return null;
    this.#chunkBytes -= bytes.length;
    if (this.#paused && this.#chunkBytes <= READ_LOW_BYTES) {
      this.#paused = false;
      this.#flow.resume();
    }
    return bytes;
  }

  read(): Promise<Uint8Array | null> {
    assert(
      this.#reader === null && this.#consumer === null,
      "a connection has one reader at a time",
    );
    const bytes = this.readNow();
    if (bytes !== null || this.#ended) return Promise.resolve(bytes);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  consume(take: (bytes: Uint8Array) => boolean): Promise<boolean> {
    assert(
      this.#reader === null && this.#consumer === null,
      "a connection has one reader at a time",
    );
    for (let bytes = this.readNow(); bytes !== null; bytes = this.readNow()) {
      if (!take(bytes)) return Promise.resolve(true);
    }
    if (this.#ended) return Promise.resolve(false);
    return new Promise((done) => {
      this.#consumer = { take, done };
    });
  }

  unread(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    assert(this.#reader === null, "bytes are put back only when nobody reads");
    this.#chunks.unshift(bytes);
    this.#chunkBytes += bytes.length;
  }

  get queuedBytes(): number {
    return this.#stream.writableLength;
  }

  write(parts: readonly Uint8Array[], onSent?: () => void): boolean {
    const stream = this.#stream;
    if (this.#cause !== null || this.#gone || this.#handedOver) {
      onSent?.();
      return false;
    }
    const pieces = this.#pieces(parts);
    const last = pieces.length - 1;
    // One piece by itself: TLS encrypts it from where it is, while what is corked is joined in a copy first.
    const corks = last > 0 && !this.#options.joinsCorked;
    if (corks) stream.cork();
    pieces.forEach((piece, index) => {
      if (index < last || onSent === undefined) stream.write(piece, this.#onWritten);
      else {
        // In order behind the others, so it is called when all are through.
        stream.write(piece, (error) => {
          onSent();
          this.#onWritten(error);
        });
      }
    });
    if (corks) stream.uncork();
    if (last < 0) onSent?.();
    return stream.writableLength < WRITE_HIGH_BYTES;
  }

  /** Small parts that follow each other are joined. */
  #pieces(parts: readonly Uint8Array[]): readonly Uint8Array[] {
    if (parts.length === 1) return parts;
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (let at = 0; at <= parts.length; at++) {
      const part = parts[at];
      if (part !== undefined && part.length < ZERO_COPY_BYTES) continue;
      if (at - from === 1) pieces.push(parts[from]!);
      else if (at > from) pieces.push(concatBytes(parts.slice(from, at)));
      if (part !== undefined) pieces.push(part);
      from = at + 1;
    }
    return pieces;
  }

  // The stream's own 'drain' comes only when nothing is queued; that would leave the wire idle.
  #onWritten = (error?: Error | null): void => {
    // A dying stream calls back for all that it drops, before it tells that it is closed.
    if (error || this.#drains.length === 0 || this.#gone) return;
    if (this.#stream.writableLength >= WRITE_HIGH_BYTES) return;
    const drains = this.#drains;
    this.#drains = [];
    for (const waiter of drains) waiter.resolve();
  };

  drained(): Promise<void> {
    if (this.#cause !== null || this.#gone) return Promise.reject(this.#closedError());
    if (this.#stream.writableLength < WRITE_HIGH_BYTES) return Promise.resolve();
    return new Promise((resolve, reject) => this.#drains.push({ resolve, reject }));
  }

  async startTls(options: TlsServerOptions | TlsClientOptions): Promise<Conn> {
    assert(this.tls === null, "TLS starts once on a connection");
    if (this.#ended || this.#cause !== null) throw this.#closedError();
    const raw = this.#stream as Socket;
    if (options.role === "client" && this.#chunkBytes > 0) {
      // Not left to TLS: Bun's would pass over them, and shake hands with whoever sent them.
      this.destroy();
      throw new NetError("EPROTO", `TLS failed: ${this.peer} sent bytes in clear before it began`);
    }
    this.#handedOver = true;
    raw.off("data", this.#onData);
    raw.off("end", this.#onEnd);
    raw.pause();
    // The first flight of the handshake may have come in one segment with what was before it.
    if (this.#chunkBytes > 0) raw.unshift(concatBytes(this.#chunks));
    this.#chunks = [];
    this.#chunkBytes = 0;
    const wrapped = this.#options.wrapDuplex ? wrapSocket(raw) : null;
    const below: Duplex = wrapped?.duplex ?? raw;
    let secured: TLSSocket;
    try {
      secured =
        options.role === "server"
          ? await secureServer(below, options)
          : await secureClient(below, options);
    } catch (error) {
      this.#cause ??= { kind: "error", code: codeOf(error, "EPROTO") };
      raw.destroy();
      throw netError(error, "TLS failed");
    }
    const verified =
      options.role === "server" ? options.clientCert === "require" : options.verify !== "none";
    const next = new NodeConn(
      secured,
      this.peer,
      tlsInfo(secured, verified),
      wrapped ?? secured,
      this.#options,
    );
    // What ended the socket below says more than that TLS could not write, which Deno tells.
    if (wrapped !== null) raw.once("error", next.#onError);
    void next.closed.then((reason) => {
      this.#cause ??= reason;
      raw.destroy();
    });
    return next;
  }

  end(): void {
    if (this.#gone || this.#handedOver) return;
    this.#close();
    this.#destroyAfter(FLUSH_MS);
    this.#stream.end(() => this.#destroyAfter(LINGER_MS));
  }

  destroy(): void {
    if (this.#gone || this.#handedOver) return;
    this.#close();
    this.#stream.destroy();
  }

  #close(): void {
    this.#cause ??= { kind: "local" };
    this.#chunks = [];
    this.#chunkBytes = 0;
    this.#stopReading();
    const drains = this.#drains;
    this.#drains = [];
    for (const waiter of drains) waiter.reject(this.#closedError());
    // What still comes in is dropped: closing with unread bytes would make the kernel send a
    // reset, which may overtake what we sent last.
    if (this.#paused) this.#flow.resume();
    this.#paused = false;
  }
}

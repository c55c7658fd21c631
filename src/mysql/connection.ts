/**
 * One MySQL connection of either role over a `Conn`: whole packets in and out, the change to TLS
 * and to compression, and for the dump phase the raw stream of packet bytes.
 *
 * Procedure. A command begins with `readCommand` (server) or `writeCommand` (client), which restart
 * the packet numbers; answers follow with `writePackets` or `readPacket`. `startTls` and
 * `startCompression` come between packets, at the places that the handshake fixes. Once a dump
 * streams, `readStream`, `consumeStream` and `writeFramed` pass packet bytes through without
 * parsing them; on a plain connection they copy nothing.
 *
 * Invariants: no payload above `maxPayloadBytes` is buffered; a wrong packet number, a wrong frame
 * or plaintext in the way of TLS is `MalformedBytes` and the connection is of no use after it. Who
 * gets an error closes the connection (`end` or `destroy`); nothing here keeps time: a deadline is
 * a timer of the caller that calls `destroy`.
 */
import { assert } from "../base/assert.ts";
import { MalformedBytes } from "../base/bytes.ts";
import type { Compress } from "../platform/compress.ts";
import type {
  CloseReason,
  Conn,
  NetError,
  TlsClientOptions,
  TlsInfo,
  TlsServerOptions,
} from "../platform/net.ts";
import {
  CompressedFrameDecoder,
  type CompressionAlgorithm,
  encodeCompressedFrames,
  type FrameCodec,
  frameCodec,
} from "./compressed-frame.ts";
import { framePackets, type LargeCommand, PacketDecoder } from "./packet.ts";

/** The first byte of a TLS record that carries a ClientHello. */
const TLS_HANDSHAKE_RECORD = 0x16;

/** The other side closed, or the connection broke, while something was waited for. */
export class ConnectionLost extends Error {
  readonly reason: CloseReason | null;
  constructor(peer: string, reason: CloseReason | null) {
    const detail = reason?.code === undefined ? "" : `: ${reason.code}`;
    super(`Connection to "${peer}" was lost${detail}`);
    this.name = "ConnectionLost";
    this.reason = reason;
  }
}

/** Frames below this are decompressed as they come. */
const LARGE_FRAME_BYTES = 65_536;

/** What a server lets a client send: asked while bytes come in. */
export interface InputGuard {
  /** Bytes have come, and no whole payload yet; called again with every piece. */
  partArrived?(): void;
  /** Before a frame above 64 KiB is buffered; throws to refuse it. */
  admitFrame?(bytes: number): void;
  /** Runs the decompression of such a frame, which takes milliseconds, when it is its turn. */
  aroundLargeFrame?<T>(unpack: () => Promise<T>): Promise<T>;
}

export interface PacketConnectionOptions {
  /** Caps one payload; checked in the header, before anything is buffered. */
  readonly maxPayloadBytes: number;
}

export class PacketConnection {
  #conn: Conn;
  readonly #packets: PacketDecoder;
  #frames: CompressedFrameDecoder | null = null;
  #codec: FrameCodec | null = null;
  #closeReason: CloseReason | null = null;
  #abandonTls: (() => void) | null = null;
  /** The frame that comes in was admitted. */
  #frameAdmitted = false;
  /** Null: nothing is asked. */
  inputGuard: InputGuard | null = null;

  constructor(conn: Conn, options: PacketConnectionOptions) {
    this.#conn = conn;
    this.#packets = new PacketDecoder(options.maxPayloadBytes);
    this.#watch(conn);
  }

  #watch(conn: Conn): void {
    void conn.closed.then((reason) => {
      if (this.#conn === conn) this.#closeReason = reason;
    });
  }

  get peer(): string {
    return this.#conn.peer;
  }

  get tls(): TlsInfo | null {
    return this.#conn.tls;
  }

  get queuedBytes(): number {
    return this.#conn.queuedBytes;
  }

  get closed(): Promise<CloseReason> {
    return this.#conn.closed;
  }

  get compressed(): boolean {
    return this.#codec !== null;
  }

  /** The number of the next packet, read or written. */
  get sequence(): number {
    return this.#packets.sequence;
  }

  set sequence(value: number) {
    this.#packets.sequence = value & 0xff;
  }

  get maxPayloadBytes(): number {
    return this.#packets.maxPayloadBytes;
  }

  set maxPayloadBytes(value: number) {
    this.#packets.maxPayloadBytes = value;
  }

  /** The one command that may be longer. */
  set largeCommand(value: LargeCommand | null) {
    this.#packets.largeCommand = value;
  }

  /** Caps frames of the compressed protocol; without compression it says nothing. */
  set maxFrameBytes(value: number) {
    if (this.#frames !== null) this.#frames.maxFrameBytes = value;
  }

  resetSequence(): void {
    this.#packets.sequence = 0;
    if (this.#frames !== null) this.#frames.sequence = 0;
  }

  /** The next payload, a view that is the caller's. Rejects with ConnectionLost, MalformedBytes. */
  async readPacket(): Promise<Uint8Array> {
    for (;;) {
      const payload = this.#packets.next();
      if (payload !== null) return payload;
      const bytes = await this.#readInner();
      if (bytes === null) throw this.#lost();
      this.inputGuard?.partArrived?.();
      this.#packets.push(bytes);
    }
  }

  readCommand(): Promise<Uint8Array> {
    this.resetSequence();
    return this.readPacket();
  }

  writePacket(payload: Uint8Array): boolean {
    return this.writePackets([payload]);
  }

  /** All in one send. False: await `drained()` before more. */
  writePackets(payloads: readonly Uint8Array[]): boolean {
    const framed = framePackets(payloads, this.#packets.sequence);
    this.#packets.sequence = framed.sequence;
    const ready = this.writeFramed(framed.parts);
    // Servers number the packets behind a compressed flush by its frames, and so do we.
    if (this.#frames !== null) this.#packets.sequence = this.#frames.sequence;
    return ready;
  }

  writeCommand(payload: Uint8Array): boolean {
    this.resetSequence();
    return this.writePacket(payload);
  }

  /**
   * Sends bytes that are already framed as packets; `sequence` is the caller's business. `onSent`
   * is called once, when the parts are no longer needed.
   */
  writeFramed(parts: readonly Uint8Array[], onSent?: () => void): boolean {
    if (this.#codec === null || this.#frames === null) return this.#conn.write(parts, onSent);
    // Compressed bytes are new ones.
    onSent?.();
    const framed = encodeCompressedFrames(this.#codec, parts, this.#frames.sequence);
    this.#frames.sequence = framed.sequence;
    return this.#conn.write(framed.parts);
  }

  /** Resolves when there is room for more. Rejects with ConnectionLost. */
  async drained(): Promise<void> {
    try {
      await this.#conn.drained();
    } catch (error) {
      this.#closeReason ??= { kind: "error", code: (error as NetError).code };
      throw this.#lost();
    }
  }

  /**
   * The next packet bytes as they come, decrypted and decompressed, framing unparsed; null at the
   * end. What was buffered behind the last `readPacket` comes first.
   */
  async readStream(): Promise<Uint8Array | null> {
    const surplus = this.#packets.takeRest();
    if (surplus !== null) return surplus;
    if (this.#frames !== null) this.#frames.checkSequence = false;
    return this.#readInner();
  }

  /**
   * The same for whoever takes all that comes: `take` as in `Conn.consume`. Resolves true when it
   * answered false, false at the end of the stream. Rejects with MalformedBytes.
   */
  async consumeStream(take: (bytes: Uint8Array) => boolean): Promise<boolean> {
    const surplus = this.#packets.takeRest();
    if (surplus !== null && !take(surplus)) return true;
    if (this.#frames === null) return this.#conn.consume(take);
    for (;;) {
      const bytes = await this.readStream();
      if (bytes === null) return false;
      if (!take(bytes)) return true;
    }
  }

  async #readInner(): Promise<Uint8Array | null> {
    const frames = this.#frames;
    if (frames === null) return this.#conn.read();
    for (;;) {
      const isLarge = frames.announcedBytes() > LARGE_FRAME_BYTES;
      const inner = isLarge ? await this.#largeFrame(frames) : frames.next();
      if (inner !== null) {
        this.#frameAdmitted = false;
        return inner;
      }
      const bytes = await this.#conn.read();
      if (bytes === null) return null;
      this.inputGuard?.partArrived?.();
      frames.push(bytes);
    }
  }

  /** Where nobody guards the input, as of a source that is pulled, it is read at once. */
  async #largeFrame(frames: CompressedFrameDecoder): Promise<Uint8Array | null> {
    const guard = this.inputGuard;
    if (guard === null) return frames.next();
    if (!this.#frameAdmitted) guard.admitFrame?.(frames.announcedBytes());
    this.#frameAdmitted = true;
    if (!frames.isComplete || guard.aroundLargeFrame === undefined) return frames.next();
    return guard.aroundLargeFrame(async () => {
      // Who has left meanwhile is not worked for.
      if (this.#closeReason !== null) throw this.#lost();
      return frames.nextLater();
    });
  }

  /**
   * TLS from the next byte on. For a client, plaintext that came behind the greeting is an attack:
   * it would be taken for an answer inside TLS. For a server, bytes behind the TLS request can only
   * be the ClientHello and are given to the handshake; a login packet there fails at once.
   */
  async startTls(options: TlsServerOptions | TlsClientOptions): Promise<void> {
    assert(this.#codec === null, "TLS comes before compression");
    const surplus = this.#packets.takeRest();
    const waiting = options.role === "client" ? (surplus ?? this.#conn.readNow()) : surplus;
    if (waiting !== null) {
      if (options.role === "client" || waiting[0] !== TLS_HANDSHAKE_RECORD) {
        this.destroy();
        throw new MalformedBytes("plaintext where the TLS handshake must come", 0);
      }
      this.#conn.unread(waiting);
    }
    const secure = await this.#upgrade(this.#conn.startTls(options));
    this.#conn = secure;
    this.#closeReason = null;
    this.#watch(secure);
  }

  /** A handshake that the other side never ends must not outlive `destroy`. */
  async #upgrade(started: Promise<Conn>): Promise<Conn> {
    const abandoned = new Promise<never>((_, reject) => {
      this.#abandonTls = () => {
        void started.then(
          (secure) => secure.destroy(),
          () => {},
        );
        reject(this.#lost());
      };
    });
    try {
      return await Promise.race([started, abandoned]);
    } finally {
      this.#abandonTls = null;
    }
  }

  /** From the next byte on, which is what follows the OK of the login. */
  startCompression(compress: Compress, algorithm: CompressionAlgorithm, level: number): void {
    const codec = frameCodec(compress, algorithm, level);
    assert(codec !== null, `${algorithm} was agreed on and is not there`);
    const surplus = this.#packets.takeRest();
    this.#codec = codec;
    this.#frames = new CompressedFrameDecoder(codec);
    this.#packets.checkSequence = false;
    if (surplus !== null) this.#frames.push(surplus);
    this.resetSequence();
  }

  /** Sends what is queued, then closes. */
  end(): void {
    this.#conn.end();
  }

  destroy(): void {
    this.#conn.destroy();
    this.#abandonTls?.();
  }

  #lost(): ConnectionLost {
    return new ConnectionLost(this.#conn.peer, this.#closeReason);
  }
}

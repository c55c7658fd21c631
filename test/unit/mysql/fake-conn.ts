/**
 * Two ends of an in-memory connection, for tests that need every byte. What one end writes the
 * other reads, in pieces of `pieceBytes`. TLS is a mark, and a hello of five bytes that the client
 * sends and the server must find first.
 */
import {
  type CloseReason,
  type Conn,
  NetError,
  type TlsClientOptions,
  type TlsInfo,
  type TlsServerOptions,
} from "../../../src/platform/net.ts";

export const HELLO = Uint8Array.of(0x16, 3, 1, 0, 0);

export class FakeConn implements Conn {
  readonly peer: string;
  tls: TlsInfo | null = null;
  other!: FakeConn;
  /** Everything that this end wrote. */
  readonly written: Uint8Array[] = [];
  readonly #pieceBytes: number;
  #inbox: Uint8Array[] = [];
  #wake: (() => void) | null = null;
  #ended = false;
  readonly closed: Promise<CloseReason>;
  #close!: (reason: CloseReason) => void;
  queuedBytes = 0;
  failTls = false;

  constructor(peer: string, pieceBytes: number) {
    this.peer = peer;
    this.#pieceBytes = pieceBytes;
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  get isClosed(): boolean {
    return this.#ended;
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const bytes = this.readNow();
      if (bytes !== null) return bytes;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async consume(take: (bytes: Uint8Array) => boolean): Promise<boolean> {
    for (;;) {
      const bytes = await this.read();
      if (bytes === null) return false;
      if (!take(bytes)) return true;
    }
  }

  readNow(): Uint8Array | null {
    return this.#inbox.shift() ?? null;
  }

  unread(bytes: Uint8Array): void {
    this.#inbox.unshift(bytes);
  }

  deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += this.#pieceBytes) {
      this.#inbox.push(bytes.slice(at, at + this.#pieceBytes));
    }
    this.#wake?.();
  }

  write(parts: readonly Uint8Array[]): boolean {
    if (this.#ended) return false;
    for (const part of parts) {
      this.written.push(part.slice());
      this.other.deliver(part);
    }
    return true;
  }

  async drained(): Promise<void> {
    if (this.#ended) throw new NetError("ECLOSED", "closed");
  }

  async startTls(options: TlsServerOptions | TlsClientOptions): Promise<Conn> {
    if (options.role === "client") this.write([HELLO]);
    else if (!(await this.#takeHello())) this.failTls = true;
    if (this.failTls) {
      this.destroy();
      throw new NetError("EPROTO", "TLS handshake failed");
    }
    this.tls = { version: "TLSv1.3", cipher: options.role, authorized: true };
    return this;
  }

  async #takeHello(): Promise<boolean> {
    let got = new Uint8Array(0);
    while (got.length < HELLO.length) {
      const bytes = await this.read();
      if (bytes === null) return false;
      got = Uint8Array.from([...got, ...bytes]);
    }
    if (got.length > HELLO.length) this.unread(got.subarray(HELLO.length));
    return got[0] === HELLO[0];
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    for (const side of [this, this.other]) {
      side.#ended = true;
      side.#close({ kind: side === this ? "local" : "eof" });
      side.#wake?.();
    }
  }
}

export function fakePair(pieceBytes = 1 << 30): { client: FakeConn; server: FakeConn } {
  const client = new FakeConn("10.0.0.1:3306", pieceBytes);
  const server = new FakeConn("10.0.0.2:45678", pieceBytes);
  client.other = server;
  server.other = client;
  return { client, server };
}

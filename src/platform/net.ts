/** TCP and TLS. A `Conn` is one duplex byte stream; TLS starts in the middle of it (STARTTLS). */
export interface Net {
  /** Rejects with NetError EADDRINUSE, EACCES, EADDRNOTAVAIL. Port 0 picks a free one. */
  listen(address: Address, onConn: (conn: Conn) => void): Promise<Listener>;
  /** Rejects with NetError ECONNREFUSED, ETIMEDOUT, ENOTFOUND, … */
  connect(address: Address, timeoutMs: number): Promise<Conn>;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Listener {
  /** The address really bound (the port is never 0). */
  readonly address: Address;
  /** Stops accepting. Open connections live on. */
  close(): Promise<void>;
}

export interface Conn {
  /** "host:port" of the other side. */
  readonly peer: string;
  readonly tls: TlsInfo | null;
  /**
   * The next bytes, or null once the stream has ended for whatever reason (see `closed`).
   * One read at a time. At most about 1 MiB waits unread inside; then the peer is paused.
   * The array belongs to the caller.
   */
  read(): Promise<Uint8Array | null>;
  /** The next bytes if some are already here, without waiting; null when none are. */
  readNow(): Uint8Array | null;
  /**
   * Gives `take` the bytes as they come, until it answers false (resolves true) or the stream ends
   * (resolves false). They are its own during the call only: the next ones may come into the same
   * memory. `take` must not throw, nor read. For streams of hundreds of MB a second: nothing is
   * allocated for what is read.
   */
  consume(take: (bytes: Uint8Array) => boolean): Promise<boolean>;
  /** Puts bytes back in front of the next `read`, and of the TLS handshake in `startTls`. */
  unread(bytes: Uint8Array): void;
  /**
   * Queues the parts in order, as one send where possible; the parts must not change until they
   * are sent. False when more is queued than the high-water mark: await `drained()`. Writing to
   * a closed connection is a no-op that returns false. `onSent` is called once, when the parts are
   * no longer needed: handed to the kernel, or dropped with the connection.
   */
  write(parts: readonly Uint8Array[], onSent?: () => void): boolean;
  /** Resolves when the queue is below the mark; rejects with NetError when the connection closes. */
  drained(): Promise<void>;
  /** Bytes accepted by `write` and not yet handed to the kernel. */
  readonly queuedBytes: number;
  /**
   * Starts TLS on this connection and returns its successor; this Conn must not be used after.
   * Bytes put back with `unread` are the first of the handshake, or refused by a client, to whom
   * nobody speaks before it has. Rejects unless the peer is
   * verified as asked, and closes the connection then; the code is OpenSSL's, such as
   * CERT_HAS_EXPIRED. A client learns of a refusal afterwards, and only that the stream ended.
   */
  startTls(options: TlsServerOptions | TlsClientOptions): Promise<Conn>;
  /** Sends what is queued, then closes both ways. */
  end(): void;
  /** Closes now; what is queued is dropped. */
  destroy(): void;
  /** Settles once, when the connection is gone. Never rejects. */
  readonly closed: Promise<CloseReason>;
}

export interface TlsCredentials {
  /** PEM, with intermediates after the leaf. */
  readonly cert: string;
  readonly key: string;
}

export interface TlsServerOptions extends TlsCredentials {
  readonly role: "server";
  /** PEM bundle that client certificates must chain to. */
  readonly ca?: string;
  /** `ask` wants one and verifies nothing: who the client is, is proved above TLS. */
  readonly clientCert: "none" | "ask" | "require";
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
}

export interface TlsClientOptions extends Partial<TlsCredentials> {
  readonly role: "client";
  /** Checked against the certificate when `verify` is "identity"; also sent as SNI if a name. */
  readonly serverName: string;
  readonly verify: "none" | "ca" | "identity";
  /** PEM bundle; the runtime's own roots when absent. */
  readonly ca?: string;
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
}

export interface TlsInfo {
  readonly version: string;
  readonly cipher: string;
  /** True when the peer's certificate was verified against a CA. */
  readonly authorized: boolean;
  /** SHA-256 of the peer's certificate, colon-separated upper-case hex, if it sent one. */
  readonly peerFingerprint256?: string;
  readonly peerCommonName?: string;
}

export interface CloseReason {
  readonly kind: "eof" | "reset" | "local" | "error";
  /** The system's error code, such as ECONNRESET. */
  readonly code?: string;
}

/** A failed listen, connect, TLS upgrade or write; `code` is the system's (ECONNREFUSED, …). */
export class NetError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NetError";
    this.code = code;
  }
}

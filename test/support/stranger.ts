/** Somebody who knows the cluster secret and says to a node what he likes. */
import { encodePacked } from "../../src/base/packed.ts";
import { type Frame, FrameReader, frameHead, numbered } from "../../src/peers/frames.ts";
import { secure } from "../../src/peers/handshake.ts";
import { encodeMessage } from "../../src/peers/message-codec.ts";
import { FrameKind, type Hello, PROTOCOL_VERSION } from "../../src/peers/protocol.ts";
import type { Address, Conn } from "../../src/platform/net.ts";
import type { Platform } from "../../src/platform/platform.ts";
import type { Message } from "../../src/raft/types.ts";

export function strangerHello(hello: Partial<Hello> = {}): Hello {
  return {
    protocol: PROTOCOL_VERSION,
    clusterId: "",
    foundedMs: null,
    raftId: 0,
    diskUuid: "5".repeat(32),
    name: "stranger",
    version: "0.0.0-stranger",
    boots: 1,
    nonce: "strange",
    term: 0,
    vote: 0,
    lastTerm: 0,
    lastIndex: 0,
    installs: 0,
    heartbeatMs: 50,
    electionMs: 500,
    region: "",
    unpacks: [],
    ...hello,
  };
}

export class Stranger {
  readonly #conn: Conn;
  readonly frames: { kind: FrameKind; body: Uint8Array }[] = [];
  isClosed = false;

  private constructor(conn: Conn) {
    this.#conn = conn;
  }

  /** TLS and proof, and a hello that is whatever it is: a value, or its bytes. */
  static async come(
    platform: Platform,
    address: Address,
    secret: string,
    hello: unknown,
  ): Promise<Stranger> {
    const now = platform.clock.wall();
    const tls = await platform.crypto.selfSignedCertificate({
      commonName: "stranger",
      altNames: [],
      notBefore: new Date(now - 1_000_000),
      notAfter: new Date(now + 1e12),
    });
    const conn = await platform.net.connect(address, 5_000);
    const credentials = { ...tls, ca: null, secrets: [secret] };
    const stranger = new Stranger(await secure(platform, conn, "client", credentials));
    stranger.send(FrameKind.HELLO, hello instanceof Uint8Array ? hello : encodePacked(hello));
    void stranger.#read();
    return stranger;
  }

  async #read(): Promise<void> {
    const reader = new FrameReader();
    const keep = ({ kind, body }: Frame): void => {
      // Statuses of a long conversation.
      if (this.frames.length > 1000) this.frames.splice(1, 500);
      this.frames.push({ kind, body: body.slice() });
    };
    for (;;) {
      const bytes = await this.#conn.read();
      if (bytes === null) break;
      reader.push(bytes, keep);
    }
    this.isClosed = true;
  }

  get queuedBytes(): number {
    return this.#conn.queuedBytes;
  }

  /** It was taken for who it says, at least to be spoken to. */
  get isGreeted(): boolean {
    return this.frames.some(({ kind }) => kind === FrameKind.HELLO);
  }

  send(kind: FrameKind, body: Uint8Array): void {
    this.#conn.write([frameHead(kind, body.length), body]);
  }
  raft(message: Message): void {
    this.send(FrameKind.RAFT, encodeMessage(message));
  }
  call(method: string, args: unknown, number = 1): void {
    this.send(FrameKind.CALL, numbered(number, encodePacked({ method, args })));
  }

  leave(): void {
    this.#conn.destroy();
  }
}

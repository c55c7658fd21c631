/**
 * Whoever comes to the peer port, until he is a member's link, a guest, or gone (contracts: protocol.ts, gate.ts,
 * host.ts).
 */
import { MalformedBytes } from "../base/bytes.ts";
import { BinraftError } from "../base/errors.ts";
import { type LogFields, type Logger, printable } from "../base/logger.ts";
import type { Conn } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { accept } from "./dial.ts";
import type { FrameBuffers } from "./frames.ts";
import { Gate, type Place } from "./gate.ts";
import { linkHandler } from "./handler.ts";
import { ProofFailed } from "./handshake.ts";
import type { PeersHost } from "./host.ts";
import type { PeerLink } from "./link.ts";
import type { Peer } from "./peer.ts";
import { type Hello, Nonsense } from "./protocol.ts";

/** Links of fresh nodes. */
const MAX_GUESTS = 32;
/** Of who came to our port, what an operator should know. */
const SAID = [ProofFailed, BinraftError, Nonsense, MalformedBytes];

export interface ReceptionParts {
  readonly platform: Platform;
  readonly host: PeersHost;
  readonly logger: Logger;
  readonly buffers: FrameBuffers;
  /** All links that must be closed at the end. */
  readonly open: Set<PeerLink>;
  /** A line that strangers can bring about. */
  readonly warn: (message: string, fields: LogFields) => void;
  /** Null: too many say that they are members of which nothing is known here. */
  readonly peerOf: (hello: Hello) => Peer | null;
  readonly serveMember: (link: PeerLink, hello: Hello, peer: Peer) => Promise<void>;
  /** It came by itself, is gone, and the log did not name it meanwhile. */
  readonly drop: (peer: Peer) => void;
}

export class Reception {
  readonly #parts: ReceptionParts;
  readonly #gate: Gate;
  #guests = 0;

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
    this.#gate = new Gate(parts.platform.clock);
  }

  accept(conn: Conn): void {
    const { logger, warn } = this.#parts;
    const ended = new AbortController();
    const place = this.#gate.enter(conn.peer, () => {
      ended.abort();
      conn.destroy();
    });
    this.#welcome(conn, place, ended.signal)
      .catch((error: Error) => {
        const fields = { address: conn.peer, reason: printable(error.message, 512) };
        if (SAID.some((kind) => error instanceof kind))
          warn("A connection to the peer port was refused", fields);
        else logger.debug("A connection to the peer port ended", fields);
      })
      .finally(() => place.leave());
  }

  async #welcome(conn: Conn, place: Place, signal: AbortSignal): Promise<void> {
    const { platform, host, buffers, open, peerOf, serveMember, drop } = this.#parts;
    const first = await conn.read();
    if (first === null) throw new Error("The other side said nothing");
    place.spoke();
    conn.unread(first);
    const link = await accept(platform, host, conn, buffers, signal);
    open.add(link);
    const close = (): void => link.close();
    signal.addEventListener("abort", close, { once: true });
    let peer: Peer | null = null;
    try {
      const hello = await link.receiveHello();
      if (hello.raftId === 0 || host.raftId === 0) {
        place.proved(false);
        return await this.#serveGuest(link, hello);
      }
      const refusal = host.judge(hello);
      if (refusal !== null) return link.refuse(refusal);
      peer = peerOf(hello);
      if (peer === null) throw new Error("There are too many nodes of which nothing is known here");
      place.proved(peer.member.address !== null);
      link.sendHello(host.hello());
      await serveMember(link, hello, peer);
    } finally {
      if (peer !== null && peer.link === null && peer.member.address === null) drop(peer);
      signal.removeEventListener("abort", close);
      open.delete(link);
      link.close();
    }
  }

  /** A node without a place in the cluster: it may call. */
  async #serveGuest(link: PeerLink, hello: Hello): Promise<void> {
    const { host, platform } = this.#parts;
    if (this.#guests >= MAX_GUESTS) return;
    this.#guests++;
    try {
      host.onGuest(hello);
      if (hello.raftId === 0 || host.raftId === 0) link.sendHello(host.hello());
      await link.run(linkHandler(host, platform.clock, hello));
      if (link.ended !== null) throw link.ended;
    } finally {
      this.#guests--;
    }
  }
}

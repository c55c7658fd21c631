/**
 * All links of a node: listens, dials, lets in whom the host takes, and carries Raft messages
 * (contracts: protocol.ts, host.ts).
 *
 * Who is let in is the host's decision (`judge`); whom to dial it says by `setMembers`. A link of a
 * member is replaced by a newer one; of a fresh node nothing is kept, it may only call.
 */
import { backoffMs } from "../base/backoff.ts";
import { MalformedBytes } from "../base/bytes.ts";
import { type LogFields, type Logger, printable } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { delay } from "../platform/clock.ts";
import type { Address, Listener } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import type { Entry, Message } from "../raft/types.ts";
import { CallFailed } from "./calls.ts";
import { dial } from "./dial.ts";
import { FrameBuffers } from "./frames.ts";
import { linkHandler } from "./handler.ts";
import { ProofFailed } from "./handshake.ts";
import type { PeersHost } from "./host.ts";
import { LineBudget } from "./line-budget.ts";
import type { PeerLink } from "./link.ts";
import { packerFor } from "./packing.ts";
import {
  askSoon,
  besides,
  elsewhere,
  newPeer,
  type Peer,
  type PeerMember,
  type PeerReport,
  patience,
  QUEUE_BYTES,
  reportOf,
  tellStatus,
} from "./peer.ts";
import { type Hello, LinkRefused, Nonsense } from "./protocol.ts";
import { Reception } from "./reception.ts";

/** One that is away, or starts, is there any moment: until it is linked the cluster stands one failure less. */
const BACKOFF = { baseMs: 50, maxMs: 250 };
const REFUSED_BACKOFF = { baseMs: 1_000, maxMs: 5_000 };
const HELD_MS = 5_000;
/** After so long without a link the node with the higher id dials, too. */
const PATIENCE_MS = 3_000;
const STATUS_MS = 1_000;
/** A link on which so many statuses did not come is dead. */
const SILENT_STATUSES = 3;
/** How long a member that was removed may still be answered what it asked: to remove it, perhaps. */
const LINGER_MS = 1_000;
/** Of nodes that are above all ids which are known here: all that may have come while this one was away. */
const MAX_UNKNOWN = 32;

class NotTaken extends Error {}
/** Failures that time alone does not mend; NotTaken: this node refuses the other one. */
const NOT_AWAY = [LinkRefused, ProofFailed, NotTaken, Nonsense, MalformedBytes];

export class Peers implements Service {
  readonly #platform: Platform;
  readonly #logger: Logger;
  readonly #host: PeersHost;
  readonly #listenAddress: Address;
  readonly #peers = new Map<number, Peer>();
  readonly #leaving = new Set<Peer>();
  readonly #dials = new Set<Promise<void>>();
  readonly #open = new Set<PeerLink>();
  readonly #buffers = new FrameBuffers();
  readonly #lines: LineBudget;
  #listener: Listener | null = null;
  #signal: AbortSignal | null = null;

  constructor(platform: Platform, logger: Logger, listen: Address, host: PeersHost) {
    this.#platform = platform;
    this.#logger = logger;
    this.#listenAddress = listen;
    this.#host = host;
    this.#lines = new LineBudget(platform.clock);
  }

  get address(): Address | null {
    return this.#listener?.address ?? null;
  }

  /** Rejects with NetError when it cannot listen. */
  async listen(): Promise<void> {
    const reception = new Reception({
      platform: this.#platform,
      host: this.#host,
      logger: this.#logger,
      buffers: this.#buffers,
      open: this.#open,
      warn: (message, fields) => this.#warn(message, fields),
      peerOf: (hello) => this.#peerOf(hello),
      serveMember: (link, hello, peer) => this.#serveMember(link, hello, peer, false),
      drop: (peer) => this.#drop(peer),
    });
    this.#listener = await this.#platform.net.listen(this.#listenAddress, (conn) => {
      if (this.#signal?.aborted === true) conn.destroy();
      else reception.accept(conn);
    });
  }

  /** To be called after `listen`; ends all links when the signal says so. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const peer of this.#peers.values()) this.#startDialing(peer);
    while (!signal.aborted) {
      await delay(this.#platform.clock, STATUS_MS, signal);
      this.#tellStatus();
    }
    await this.#listener?.close();
    for (const peer of [...this.#peers.values(), ...this.#leaving]) this.#end(peer);
    for (const link of this.#open) link.close();
    await Promise.all(this.#dials);
  }

  /** Whom this node may be linked with, itself left out; of ids above `highestId` it does not know yet. */
  setMembers(members: readonly PeerMember[], highestId: number): void {
    const kept = new Set(members.map(({ raftId }) => raftId));
    for (const [id, peer] of this.#peers) {
      if (kept.has(id) || id > highestId) continue;
      this.#peers.delete(id);
      peer.stop.abort();
      this.#leaving.add(peer);
      this.#platform.clock.after(LINGER_MS, () => {
        this.#leaving.delete(peer);
        this.#end(peer);
      });
    }
    for (const member of members) {
      const known = this.#peers.get(member.raftId);
      if (known === undefined) this.#add(member);
      else known.member = member;
    }
  }

  #add(member: PeerMember): Peer {
    const peer = newPeer(member);
    this.#peers.set(member.raftId, peer);
    if (this.#signal !== null) this.#startDialing(peer);
    return peer;
  }

  #end(peer: Peer): void {
    peer.stop.abort();
    peer.link?.close();
  }

  // ---- sending

  send(message: Message): void {
    const peer = this.#peers.get(message.to);
    if (peer?.link == null) return;
    const queued = peer.link.queuedBytes;
    const { queueBytes } = peer;
    const isLarge = message.type === "MsgApp" || message.type === "MsgSnap";
    if (queued > 2 * queueBytes || (isLarge && queued > queueBytes)) {
      peer.dropped++;
      // Not now: the core is in the middle of telling us what to send.
      this.#platform.clock.soon(() => this.#host.onDropped(message.to));
      return;
    }
    peer.link.sendRaft(message);
  }

  /** How much may wait for it, with a window of so many bytes. */
  setWindow(raftId: number, bytes: number): void {
    const peer = this.#peers.get(raftId);
    if (peer !== undefined) peer.queueBytes = Math.max(QUEUE_BYTES, 2 * bytes);
  }

  #tellStatus(): void {
    const now = this.#platform.clock.mono();
    for (const peer of this.#peers.values())
      tellStatus(peer, now, SILENT_STATUSES * STATUS_MS, () => this.#host.status());
  }

  /** Ids of all that are linked. */
  connected(): number[] {
    const linked = [...this.#peers.values()].filter(({ link }) => link !== null);
    return linked.map(({ member }) => member.raftId);
  }

  isConnected(raftId: number): boolean {
    return this.#peers.get(raftId)?.link != null;
  }

  reports(): PeerReport[] {
    return [...this.#peers.values()].map(reportOf);
  }

  /** Rejects with CallFailed. */
  async call(raftId: number, method: string, args: unknown, timeoutMs: number): Promise<unknown> {
    return this.#linkOf(raftId).call(method, args, timeoutMs);
  }

  async entries(
    raftId: number,
    first: number,
    last: number,
    timeoutMs: number,
  ): Promise<readonly Entry[]> {
    return this.#linkOf(raftId).entries(first, last, timeoutMs);
  }

  #linkOf(raftId: number): PeerLink {
    const link = this.#peers.get(raftId)?.link ?? null;
    if (link === null) throw new CallFailed("unavailable", `There is no link to node ${raftId}`);
    return link;
  }

  /**
   * One question to a node that is no member as far as we know, or from one that is none. Rejects
   * with NetError, ProofFailed, LinkRefused or CallFailed.
   */
  async ask(address: Address, method: string, args: unknown, timeoutMs: number): Promise<unknown> {
    const { link } = await dial(this.#platform, this.#host, address, this.#buffers);
    this.#open.add(link);
    const done = link.run(linkHandler(this.#host, this.#platform.clock, null));
    try {
      return await link.call(method, args, timeoutMs);
    } finally {
      link.close();
      await done;
      this.#open.delete(link);
    }
  }

  #startDialing(peer: Peer): void {
    const run = this.#keepDialing(peer).finally(() => this.#dials.delete(run));
    this.#dials.add(run);
  }

  async #keepDialing(peer: Peer): Promise<void> {
    const { signal } = peer.stop;
    const { clock, random } = this.#platform;
    for (let attempt = 0; !signal.aborted; ) {
      if (!(await this.#isOursToDial(peer, signal))) continue;
      const startedMs = clock.mono();
      let backoff = BACKOFF;
      try {
        const { address } = peer.member;
        peer.mustAsk = false;
        const { link, hello } = await dial(this.#platform, this.#host, address!, this.#buffers);
        await this.#serveMember(link, hello, peer, true);
      } catch (error) {
        this.#note(peer, error as Error, true);
        if (NOT_AWAY.some((kind) => error instanceof kind)) backoff = REFUSED_BACKOFF;
      }
      // One that held for a while begins anew at once.
      attempt = clock.mono() - startedMs > HELD_MS ? 0 : attempt + 1;
      await delay(clock, backoffMs(attempt, backoff, random.u32() / 0x1_0000_0000), signal);
    }
  }

  /** The node with the lower id dials; the other one only when that does not: it may not want us. */
  async #isOursToDial(peer: Peer, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#platform;
    const { raftId, address } = peer.member;
    const isOurs = raftId > this.#host.raftId || peer.mustAsk;
    if (peer.link === null && address !== null && isOurs) return true;
    await patience(clock, peer, PATIENCE_MS);
    return peer.link === null && peer.member.address !== null && !signal.aborted;
  }

  #note(peer: Peer, error: Error, isDialled: boolean): void {
    const trouble = printable(error.message, 512);
    if (trouble !== peer.trouble) {
      this.#warn("No link to a node", {
        node: peer.member.name,
        id: peer.member.raftId,
        reason: trouble,
      });
    }
    peer.trouble = trouble;
    if (!(error instanceof LinkRefused)) return;
    // Who dialled us proved the secret, and no place in the cluster (protocol.ts, 7).
    if (isDialled) this.#host.onRefused(peer.member.raftId, error.refusal);
    else askSoon(peer);
  }

  /** What others make this node say; bounded, however often they do. */
  #warn(message: string, fields: LogFields): void {
    const unsaid = this.#lines.take();
    if (unsaid === null) return;
    this.#logger.warn(message, unsaid === 0 ? fields : { ...fields, unsaid });
  }

  /** Null: too many say that they are members of which this node knows nothing. */
  #peerOf({ raftId, name }: Hello): Peer | null {
    const known = this.#peers.get(raftId);
    if (known !== undefined) return known;
    const unknown = [...this.#peers.values()].filter(({ member }) => member.address === null);
    return unknown.length < MAX_UNKNOWN ? this.#add({ raftId, name, address: null }) : null;
  }

  async #serveMember(link: PeerLink, hello: Hello, peer: Peer, isDialled: boolean): Promise<void> {
    const refusal =
      hello.raftId === peer.member.raftId
        ? (this.#host.judge(hello) ?? besides(peer, hello))
        : elsewhere(hello, peer.member);
    if (refusal !== null) {
      link.refuse(refusal);
      throw hello.raftId === 0 ? new Error(refusal.message) : new NotTaken(refusal.message);
    }
    await this.#host.remember(hello);
    if (peer.stop.signal.aborted) return link.close();
    // A newer link of the same process: the older one is half dead.
    peer.link?.close();
    peer.nonce = hello.nonce;
    peer.link = link;
    link.packer = packerFor(
      this.#platform.compress,
      this.#host.packsFor(hello) ? hello.unpacks : [],
    );
    peer.trouble = "";
    this.#logger.info("Linked with a node", { node: peer.member.name, id: peer.member.raftId });
    this.#host.onLinkChange(peer.member.raftId);
    await link.run(linkHandler(this.#host, this.#platform.clock, hello, peer));
    peer.sentBytes += link.sentBytes;
    peer.receivedBytes += link.receivedBytes;
    peer.savedBytes += link.savedBytes;
    if (peer.link !== link) return;
    peer.link = null;
    this.#host.onLinkChange(peer.member.raftId);
    const error = link.ended ?? new Error(peer.trouble || "The connection ended");
    this.#note(peer, error, isDialled);
  }

  /** It came by itself, went again, and the log did not name it meanwhile. */
  #drop(peer: Peer): void {
    const { raftId } = peer.member;
    if (this.#peers.get(raftId) === peer) this.#peers.delete(raftId);
    peer.stop.abort();
  }
}

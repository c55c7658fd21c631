/** What is known of one peer: who it is, the link to it, and what went over it. */
import { type Clock, delay } from "../platform/clock.ts";
import type { Address } from "../platform/net.ts";
import type { PeerLink } from "./link.ts";
import type { Hello, Refusal } from "./protocol.ts";
import { type Rtt, RttEstimate } from "./rtt.ts";

/** Whom a link goes to. */
export interface PeerMember {
  readonly raftId: number;
  readonly name: string;
  /** Null of one that came by itself and of which nothing else is known here yet. */
  readonly address: Address | null;
}

export interface Peer {
  member: PeerMember;
  link: PeerLink | null;
  /** It refused us on a link that it had dialled: we ask at its own address. */
  mustAsk: boolean;
  /** Ends the waiting for its dialling. */
  ask: () => void;
  /** Of the process at the other end. */
  nonce: string;
  /** Why there is no link; a sentence. */
  trouble: string;
  readonly stop: AbortController;
  dropped: number;
  sentBytes: number;
  receivedBytes: number;
  savedBytes: number;
  /** What may wait for it: beyond it appends are dropped, beyond twice as much everything. */
  queueBytes: number;
  /** Of this link and those before it: the way is the same. */
  readonly rtt: RttEstimate;
}

/** Of a peer whose window is not made larger. */
export const QUEUE_BYTES: number = 8 * 1024 * 1024;

export interface PeerReport {
  readonly id: number;
  readonly connected: boolean;
  readonly trouble: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** That packing saved of what was sent. */
  readonly savedBytes: number;
  readonly droppedMessages: number;
  readonly queuedBytes: number;
  /** Null until it was measured. */
  readonly rtt: Rtt | null;
}

export function newPeer(member: PeerMember): Peer {
  return {
    member,
    link: null,
    mustAsk: false,
    ask: () => {},
    nonce: "",
    trouble: "Not connected yet",
    stop: new AbortController(),
    dropped: 0,
    sentBytes: 0,
    receivedBytes: 0,
    savedBytes: 0,
    queueBytes: QUEUE_BYTES,
    rtt: new RttEstimate(),
  };
}

export function reportOf(peer: Peer): PeerReport {
  const { member, link, trouble, dropped, rtt } = peer;
  return {
    id: member.raftId,
    connected: link !== null,
    trouble,
    sentBytes: peer.sentBytes + (link?.sentBytes ?? 0),
    receivedBytes: peer.receivedBytes + (link?.receivedBytes ?? 0),
    savedBytes: peer.savedBytes + (link?.savedBytes ?? 0),
    droppedMessages: dropped,
    queuedBytes: link?.queuedBytes ?? 0,
    rtt: rtt.value,
  };
}

/** Waits until it has dialled, may be asked itself, or is not wanted any more. */
export async function patience(clock: Clock, peer: Peer, patienceMs: number): Promise<void> {
  if (peer.mustAsk && peer.member.address === null) peer.mustAsk = false;
  if (peer.mustAsk) return;
  const { signal } = peer.stop;
  const early = new AbortController();
  peer.ask = () => early.abort();
  signal.addEventListener("abort", peer.ask, { once: true });
  await delay(clock, patienceMs, signal.aborted ? signal : early.signal);
  signal.removeEventListener("abort", peer.ask);
  peer.ask = () => {};
}

/** It refused us where it had dialled. */
export function askSoon(peer: Peer): void {
  peer.mustAsk = true;
  peer.ask();
}

/** Another node answers at a member's address, or the member before it has read its place. */
export function elsewhere({ raftId }: Hello, { address, name }: PeerMember): Refusal {
  const who =
    raftId === 0 ? "a node that starts, or has no place in the cluster yet" : `node ${raftId}`;
  const place = address === null ? "the other end" : `${address.host}:${address.port}`;
  const message = `At ${place}, where "${name}" is looked for, is ${who}`;
  return { code: "unknown", message };
}

/** Two processes as one node: the one that is linked stays, until nothing is heard of it any more. */
export function besides(peer: Peer, { name, raftId, nonce }: Hello): Refusal | null {
  if (peer.link === null || peer.nonce === nonce) return null;
  const message =
    `Another process is linked as node ${raftId} ("${name}"): ` +
    "this one is a copy, or that one is just going";
  return { code: "unknown", message };
}

/** What the others shall remember of this node; one from which as much did not come is let go. */
export function tellStatus(
  peer: Peer,
  nowMs: number,
  silentMs: number,
  report: () => unknown,
): void {
  const { link } = peer;
  if (link === null) return;
  if (nowMs - link.heardMs > silentMs) {
    peer.trouble = "It fell silent";
    link.close();
    return;
  }
  const { askedMs, heldSinceMs } = link.echo;
  link.sendStatus({
    sentMs: nowMs,
    ...(askedMs === null ? {} : { echoMs: askedMs, heldMs: nowMs - heldSinceMs }),
    report: report(),
  });
}

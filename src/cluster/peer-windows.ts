/**
 * How much the leader has on its way to each member: near ones have a fixed window. To a far one a window
 * too small leaves the line idle, and one too large fills queues on the way, in which heartbeats wait,
 * too. So it follows what the line really carries: twice the rate times the shortest round trip.
 */
import type { Rtt } from "../peers/rtt.ts";
import type { NodeCore } from "./node-core.ts";

const MIB = 1024 * 1024;
/** Sent to a near member and not acknowledged yet. */
export const NEAR_WINDOW_BYTES: number = 4 * MIB;
const LEAST_FAR_BYTES = MIB;
/** What an acknowledgement takes at the other end: its fsync. */
const SYNC_MS = 10;
/** A round trip this much above the shortest has waited in a queue. */
const QUEUED_MS = 20;

export interface LineRate {
  /** Acknowledged since the last look. */
  readonly bytesPerMs: number;
  /** The window was the bound since the last look. */
  readonly wasFull: boolean;
  readonly rtt: Rtt;
}

/** Pure. */
export function nextWindow(current: number, line: LineRate, mostBytes: number): number {
  if (!line.wasFull) return current;
  const { leastMs, recentMs } = line.rtt;
  const carries = 2 * line.bytesPerMs * (leastMs + SYNC_MS);
  const queues = recentMs > 2 * leastMs + QUEUED_MS;
  const wanted = queues ? Math.min(current, carries) : Math.max(current, carries);
  return Math.round(Math.max(LEAST_FAR_BYTES, Math.min(mostBytes, wanted)));
}

/** The links whose windows these are. */
export interface WindowLinks {
  reports(): readonly { readonly id: number; readonly rtt: Rtt | null }[];
  setWindow(raftId: number, bytes: number): void;
}

interface Seen {
  readonly freedBytes: number;
  readonly timesFull: number;
  readonly atMs: number;
}

export class PeerWindows {
  readonly #core: NodeCore;
  readonly #mostBytes: number;
  readonly #seen = new Map<number, Seen>();
  readonly #links: WindowLinks;

  constructor(core: NodeCore, mostBytes: number, links: WindowLinks) {
    this.#core = core;
    this.#mostBytes = mostBytes;
    this.#links = links;
  }

  /** On the leader, about once a second. */
  look(nowMs: number): void {
    const rtts = new Map(this.#links.reports().map(({ id, rtt }) => [id, rtt]));
    const { state, driver, log } = this.#core;
    const ownRegion = state.members.get(log.identity.raftId)?.region;
    const { progress } = driver.consensus.node.raft.tracker;
    for (const id of this.#seen.keys()) if (!progress.has(id)) this.#seen.delete(id);
    for (const [id, { inflights }] of progress) {
      const rtt = rtts.get(id) ?? null;
      const isFar = (state.members.get(id)?.region ?? ownRegion) !== ownRegion;
      if (!isFar || rtt === null) continue;
      const { freedBytes, timesFull } = inflights;
      const before = this.#seen.get(id);
      this.#seen.set(id, { freedBytes, timesFull, atMs: nowMs });
      // Of a new leader the counters begin anew.
      if (before === undefined || freedBytes < before.freedBytes) continue;
      const bytesPerMs = (freedBytes - before.freedBytes) / Math.max(1, nowMs - before.atMs);
      const line = { bytesPerMs, wasFull: timesFull > before.timesFull, rtt };
      inflights.maxBytes = nextWindow(inflights.maxBytes, line, this.#mostBytes);
      this.#links.setWindow(id, inflights.maxBytes);
    }
  }
}

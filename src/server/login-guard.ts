/**
 * What stands before a login: how many connections may be pending, in all and from one address,
 * and how long who failed before must wait.
 *
 * Places. Whoever opens connections and says nothing must not keep replicas out: when there is no
 * place, the oldest silent connection makes room, then one that waits since its last login failed,
 * then one that has talked for a second without coming to an end. A quarter of the places is for
 * addresses that logged in before.
 *
 * Delays are kept per address and user, so a stranger cannot lock anyone out elsewhere; each
 * failure doubles the delay up to five seconds.
 *
 * Addresses count by `addressKey`. Tables are bounded: the oldest entry goes first.
 */
import type { Clock } from "../platform/clock.ts";
import { addressKey } from "./address-key.ts";

export interface LoginLimits {
  readonly maxPending: number;
  readonly maxPendingPerAddress: number;
  readonly maxDelayMs: number;
}

export const DEFAULT_LOGIN_LIMITS: LoginLimits = {
  maxPending: 256,
  maxPendingPerAddress: 16,
  maxDelayMs: 5_000,
};

const FIRST_DELAY_MS = 100;
const FORGET_MS = 10 * 60 * 1000;
const MAX_ENTRIES = 4096;
/** A login takes some round trips; who needs longer may have to make room. */
const TALK_MS = 1_000;
/** One of so many places is kept for addresses that logged in before. */
const RESERVED_PART = 4;

interface Failures {
  count: number;
  /** Monotonic; the next try may be checked then. */
  nextMs: number;
  lastMs: number;
}

/** A place that was given; `stage` is set by whoever serves it. */
export interface PendingLogin {
  readonly address: string;
  readonly sinceMs: number;
  readonly known: boolean;
  /** Nothing was said yet; the login goes on; it waits for its time since the last one failed. */
  stage: "silent" | "talking" | "delayed";
  /** Closes its connection. */
  evict(): void;
}

export class LoginGuard {
  readonly #limits: LoginLimits;
  readonly #clock: Pick<Clock, "mono">;
  /** In order of arrival. */
  readonly #pending = new Set<PendingLogin>();
  readonly #failures = new Map<string, Failures>();
  /** Addresses that logged in before, in order of the last time. */
  readonly #known = new Set<string>();
  /** Connections that had to make room, ever. */
  evicted = 0;

  constructor(limits: LoginLimits, clock: Pick<Clock, "mono">) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Takes a place for a connection from `host`, if need be another's; null when there is none. */
  enter(host: string, evict: () => void): PendingLogin | null {
    const address = addressKey(host);
    const known = this.#known.has(address);
    const sinceMs = this.#clock.mono();
    const { maxPending, maxPendingPerAddress } = this.#limits;
    const here = [...this.#pending].filter((one) => one.address === address);
    if (here.length >= maxPendingPerAddress && !this.#makeRoom(here)) return null;
    const strangers = [...this.#pending].filter((one) => !one.known);
    const placesOfStrangers = maxPending - Math.floor(maxPending / RESERVED_PART);
    const full =
      this.#pending.size >= maxPending || (!known && strangers.length >= placesOfStrangers);
    if (full && !this.#makeRoom(strangers)) {
      if (!known || !this.#makeRoom([...this.#pending])) return null;
    }
    const place: PendingLogin = { address, sinceMs, known, stage: "silent", evict };
    this.#pending.add(place);
    return place;
  }

  leave(place: PendingLogin): void {
    this.#pending.delete(place);
  }

  #makeRoom(among: readonly PendingLogin[]): boolean {
    const now = this.#clock.mono();
    const victim =
      among.find(({ stage }) => stage === "silent") ??
      among.find(({ stage }) => stage === "delayed") ??
      among.find(({ sinceMs }) => now - sinceMs >= TALK_MS);
    if (victim === undefined) return false;
    this.#pending.delete(victim);
    this.evicted++;
    victim.evict();
    return true;
  }

  /** How long this try must wait. Tries that come meanwhile queue behind it. */
  delayMs(host: string, user: string): number {
    const id = key(host, user);
    const entry = this.#failures.get(id);
    if (entry === undefined) return 0;
    const now = this.#clock.mono();
    if (now - entry.lastMs > FORGET_MS) {
      this.#failures.delete(id);
      return 0;
    }
    const startMs = Math.max(now, entry.nextMs);
    entry.nextMs = startMs + this.#step(entry.count);
    return Math.min(this.#limits.maxDelayMs, startMs - now);
  }

  failed(host: string, user: string): void {
    const now = this.#clock.mono();
    const id = key(host, user);
    const entry = this.#failures.get(id) ?? { count: 0, nextMs: now, lastMs: now };
    entry.count++;
    entry.lastMs = now;
    entry.nextMs = Math.max(entry.nextMs, now + this.#step(entry.count));
    // In order of the last failure, so that the oldest is the first.
    this.#failures.delete(id);
    this.#failures.set(id, entry);
    dropOldest(this.#failures);
  }

  succeeded(host: string, user: string): void {
    this.#failures.delete(key(host, user));
    const address = addressKey(host);
    this.#known.delete(address);
    this.#known.add(address);
    dropOldest(this.#known);
  }

  #step(count: number): number {
    return Math.min(this.#limits.maxDelayMs, FIRST_DELAY_MS * 2 ** Math.min(count - 1, 20));
  }
}

function dropOldest(entries: {
  readonly size: number;
  keys(): Iterator<string>;
  delete(key: string): boolean;
}): void {
  if (entries.size <= MAX_ENTRIES) return;
  const oldest = entries.keys().next();
  if (!oldest.done) entries.delete(oldest.value);
}

/** Names are cut: a client may send any length. */
function key(host: string, user: string): string {
  return `${addressKey(host)}\0${user.slice(0, 64)}`;
}

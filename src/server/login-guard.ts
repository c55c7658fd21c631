/**
 * What stands before a login: how many connections may be pending, in all and from one address,
 * and how long who failed before must wait. Delays are kept per address and user, so a stranger
 * cannot lock anyone out elsewhere; each failure doubles the delay up to five seconds. Tables are
 * bounded: the oldest entry goes first.
 */
import type { Clock } from "../platform/clock.ts";

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

interface Failures {
  count: number;
  /** Monotonic; the next try may be checked then. */
  nextMs: number;
  lastMs: number;
}

export class LoginGuard {
  readonly #limits: LoginLimits;
  readonly #clock: Clock;
  readonly #pending = new Map<string, number>();
  #pendingTotal = 0;
  readonly #failures = new Map<string, Failures>();

  constructor(limits: LoginLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get pending(): number {
    return this.#pendingTotal;
  }

  /** Takes a place for a connection from `address`, or returns false. */
  enter(address: string): boolean {
    const here = this.#pending.get(address) ?? 0;
    const { maxPending, maxPendingPerAddress } = this.#limits;
    if (this.#pendingTotal >= maxPending || here >= maxPendingPerAddress) return false;
    this.#pending.set(address, here + 1);
    this.#pendingTotal++;
    return true;
  }

  leave(address: string): void {
    const here = this.#pending.get(address) ?? 0;
    if (here <= 1) this.#pending.delete(address);
    else this.#pending.set(address, here - 1);
    this.#pendingTotal--;
  }

  /** How long this try must wait. Tries that come meanwhile queue behind it. */
  delayMs(address: string, user: string): number {
    const entry = this.#failures.get(key(address, user));
    if (entry === undefined) return 0;
    const now = this.#clock.mono();
    if (now - entry.lastMs > FORGET_MS) {
      this.#failures.delete(key(address, user));
      return 0;
    }
    const startMs = Math.max(now, entry.nextMs);
    entry.nextMs = startMs + this.#step(entry.count);
    return Math.min(this.#limits.maxDelayMs, startMs - now);
  }

  failed(address: string, user: string): void {
    const now = this.#clock.mono();
    const id = key(address, user);
    const entry = this.#failures.get(id) ?? { count: 0, nextMs: now, lastMs: now };
    entry.count++;
    entry.lastMs = now;
    entry.nextMs = Math.max(entry.nextMs, now + this.#step(entry.count));
    // In order of the last failure, so that the oldest is the first.
    this.#failures.delete(id);
    this.#failures.set(id, entry);
    if (this.#failures.size > MAX_ENTRIES) {
      const oldest = this.#failures.keys().next().value;
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
  }

  succeeded(address: string, user: string): void {
    this.#failures.delete(key(address, user));
  }

  #step(count: number): number {
    return Math.min(this.#limits.maxDelayMs, FIRST_DELAY_MS * 2 ** Math.min(count - 1, 20));
  }
}

/** Names are cut: a client may send any length. */
function key(address: string, user: string): string {
  return `${address}\0${user.slice(0, 64)}`;
}

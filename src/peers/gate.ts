/**
 * Who may wait at the peer port before it has proved itself. Places are few, so that strangers cost
 * little; so it must not be strangers that have them all:
 *
 * - Who says nothing for two seconds is sent away: a node's first bytes follow its connection at once.
 * - When all places are taken, somebody gives up his for who comes: of the addresses that have most,
 *   the one that is silent longest, else the one that is there longest. So an attacker's next connection
 *   costs the attacker one.
 * - An address from which a node proved itself before keeps its places while strangers have some.
 *
 * An IPv6 network of 64 bits is one address: whoever has one has them all. Tables are bounded.
 */
import type { Cancel, Clock } from "../platform/clock.ts";

export interface GateLimits {
  readonly places: number;
  /** To the first byte. */
  readonly silentMs: number;
}

export const DEFAULT_GATE_LIMITS: GateLimits = { places: 64, silentMs: 2_000 };

const MAX_KNOWN = 1024;

/** A place at the gate. */
export interface Place {
  /** The first bytes came. */
  spoke(): void;
  /** It proved itself, with the name of a member: its address is remembered. */
  proved(isMember: boolean): void;
  /** It is gone; again is nothing. */
  leave(): void;
}

interface Waiting {
  readonly from: string;
  readonly end: () => void;
  isSilent: boolean;
  cancel: Cancel;
}

export class Gate {
  readonly #limits: GateLimits;
  readonly #clock: Clock;
  /** In the order of their coming. */
  readonly #waiting = new Set<Waiting>();
  /** In the order of their last proof. */
  readonly #known = new Set<string>();
  /** That were sent away for others. */
  evicted = 0;

  constructor(clock: Clock, limits: GateLimits = DEFAULT_GATE_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** `peer` is "host:port"; `end` closes its connection, and may be called at once. */
  enter(peer: string, end: () => void): Place {
    const one: Waiting = { from: networkOf(peer), end, isSilent: true, cancel: () => {} };
    one.cancel = this.#clock.after(this.#limits.silentMs, () => {
      if (one.isSilent) this.#sendAway(one);
    });
    this.#waiting.add(one);
    if (this.#waiting.size > this.#limits.places) {
      this.evicted++;
      this.#sendAway(this.#whoGoes());
    }
    return {
      spoke: () => {
        one.isSilent = false;
        one.cancel();
      },
      proved: (isMember) => {
        if (isMember) this.#know(one.from);
        this.#leave(one);
      },
      leave: () => this.#leave(one),
    };
  }

  #know(from: string): void {
    this.#known.delete(from);
    this.#known.add(from);
    for (const oldest of this.#known) {
      if (this.#known.size <= MAX_KNOWN) return;
      this.#known.delete(oldest);
    }
  }

  #whoGoes(): Waiting {
    const strangers = [...this.#waiting].filter(({ from }) => !this.#known.has(from));
    const among = strangers.length > 0 ? strangers : [...this.#waiting];
    const counts = new Map<string, number>();
    for (const { from } of among) counts.set(from, (counts.get(from) ?? 0) + 1);
    const most = Math.max(...counts.values());
    const few = among.filter(({ from }) => counts.get(from) === most);
    return few.find(({ isSilent }) => isSilent) ?? few[0]!;
  }

  #sendAway(one: Waiting): void {
    this.#leave(one);
    one.end();
  }

  #leave(one: Waiting): void {
    one.cancel();
    this.#waiting.delete(one);
  }
}

/** The address without its port; of IPv6 the first 64 bits. */
export function networkOf(peer: string): string {
  const host = peer.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host);
  if (mapped !== null) return mapped[1]!;
  if (!host.includes(":")) return host;
  const [head = "", tail = ""] = host.replace(/%.*$/, "").toLowerCase().split("::");
  const [first, last] = [head, tail].map((part) => (part === "" ? [] : part.split(":")));
  // An IPv4 address at the end takes the place of two groups.
  const missing = 8 - first!.length - last!.length - (tail.includes(".") ? 1 : 0);
  const groups = [...first!, ...Array<string>(Math.max(0, missing)).fill("0"), ...last!];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}/64`;
}

/**
 * One direction of a simulated connection: what is sent arrives in order after the latency of
 * the link. In a black hole everything waits, as TCP would go on sending it again; it arrives
 * when the link is healed.
 */
import type { SeededRandom } from "./random.ts";
import type { VirtualTime } from "./time.ts";

export interface LinkFaults {
  latencyMs: number;
  /** Up to so much more latency, drawn per message. */
  jitterMs: number;
  blackHole: boolean;
  /** Cuts data into pieces of random size, down to single bytes. */
  fragment: boolean;
  /** Up to so long after its write do bytes leave the machine, now and then; else in the next turn. */
  leavesMs: number;
}

/** All that goes from one machine to another. */
export class Link {
  readonly faults: LinkFaults;
  readonly name: string;
  #held: { readonly order: number; readonly resend: () => void }[] = [];
  #sent = 0;

  constructor(name: string, faults: LinkFaults) {
    this.name = name;
    this.faults = faults;
  }

  /** The place of what is sent next. */
  nextOrder(): number {
    return this.#sent++;
  }

  hold(order: number, resend: () => void): void {
    this.#held.push({ order, resend });
  }

  /**
   * Sends again what the black hole kept, in the order in which it was sent: what was on its way when
   * the hole opened is held after what was sent into it.
   */
  release(): void {
    const held = this.#held.sort((a, b) => a.order - b.order);
    this.#held = [];
    for (const { resend } of held) resend();
  }
}

export class Pipe {
  readonly #link: Link;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly targetIsUp: () => boolean;
  #lastAt = 0;

  constructor(link: Link, time: VirtualTime, random: SeededRandom, targetIsUp: () => boolean) {
    this.#link = link;
    this.#time = time;
    this.#random = random;
    this.targetIsUp = targetIsUp;
  }

  send(label: string, arrive: () => void): void {
    this.#send(label, arrive, this.#link.nextOrder());
  }

  #send(label: string, arrive: () => void, order: number): void {
    const again = (): void => this.#send(label, arrive, order);
    const { latencyMs, jitterMs, blackHole } = this.#link.faults;
    if (blackHole) {
      this.#link.hold(order, again);
      return;
    }
    const jitter = jitterMs > 0 ? this.#random.float() * jitterMs : 0;
    const at = Math.max(this.#lastAt, this.#time.now + latencyMs + jitter);
    this.#lastAt = at;
    this.#time.schedule(at - this.#time.now, `${this.#link.name} ${label}`, () => {
      // The hole may have opened while this was on its way.
      if (this.#link.faults.blackHole) this.#link.hold(order, again);
      else arrive();
    });
  }

  /** How long what was written waits before it leaves. */
  leavesMs(): number {
    const { leavesMs } = this.#link.faults;
    if (leavesMs === 0 || this.#random.below(4) > 0) return 0;
    return this.#random.float() * leavesMs;
  }

  /** Whether a writer hears late that its bytes left, and how late: by a turn at least. */
  isLate(): boolean {
    return this.#random.below(4) === 0;
  }
  lateMs(): number {
    return this.#random.float() * this.#link.faults.leavesMs;
  }

  /** How much of a write goes into one piece. */
  pieceBytes(most: number): number {
    if (!this.#link.faults.fragment) return most;
    const small = this.#random.below(4) === 0;
    return 1 + this.#random.below(small ? 8 : most);
  }
}

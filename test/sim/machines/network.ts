/**
 * The network between simulated machines, message by message: delays with a heavy tail, loss,
 * duplicates, order or none, cut directions. Messages cross it as bytes.
 */
import type { SeededRandom } from "../../../runtime/memory/random.ts";
import type { VirtualTime } from "../../../runtime/memory/time.ts";
import type { PeerLinks } from "../../../src/cluster/links.ts";
import { decodeMessage, encodeMessage } from "../../../src/peers/message-codec.ts";
import type { Message } from "../../../src/raft/types.ts";
import type { Plan } from "./plan.ts";

export interface Receiver {
  receive(message: Message): void;
}

/** Two messages on one link do not come at once. */
const APART_MS = 0.001;

export class SimNetwork {
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #plan: Plan;
  readonly #receivers = new Map<number, Receiver>();
  readonly #cut = new Set<string>();
  /** When the last message of a link arrives. */
  readonly #last = new Map<string, number>();
  readonly counts = { sent: 0, lost: 0, duplicated: 0, reordered: 0 };

  constructor(time: VirtualTime, random: SeededRandom, plan: Plan) {
    this.#time = time;
    this.#random = random;
    this.#plan = plan;
  }

  attach(id: number, receiver: Receiver): void {
    this.#receivers.set(id, receiver);
  }

  /** Nothing of it arrives any more, nor does anything reach it: its peers know that it forgot. */
  refuse(id: number): void {
    this.#receivers.delete(id);
    for (const other of this.#receivers.keys()) this.cut(id, other);
  }

  cut(from: number, to: number): void {
    this.#cut.add(`${from} ${to}`);
  }

  isCut(from: number, to: number): boolean {
    return this.#cut.has(`${from} ${to}`);
  }

  heal(): void {
    for (const link of [...this.#cut]) {
      const [from, to] = link.split(" ").map(Number);
      if (this.#receivers.has(from!) && this.#receivers.has(to!)) this.#cut.delete(link);
    }
  }

  links(onSend: (message: Message) => void): PeerLinks {
    return {
      send: (message) => {
        onSend(message);
        this.#send(message);
      },
    };
  }

  #send(message: Message): void {
    const { loss, duplicates } = this.#plan;
    this.counts.sent++;
    if (this.#random.below(1_000) < loss) {
      this.counts.lost++;
      return;
    }
    const frame = encodeMessage(message);
    this.#deliver(message, frame);
    if (this.#random.below(1_000) >= duplicates) return;
    this.counts.duplicated++;
    this.#deliver(message, frame);
  }

  #deliver({ from, to, type }: Message, frame: Uint8Array): void {
    const link = `${from} ${to}`;
    const { now } = this.#time;
    let at = now + this.#delay(from, to);
    const last = this.#last.get(link) ?? 0;
    if (at <= last) {
      if (this.#plan.isReordering) this.counts.reordered++;
      else at = last + APART_MS;
    }
    this.#last.set(link, Math.max(at, last));
    this.#time.schedule(at - now, `${type} ${link}`, () => {
      // Cut while it was under way: it is lost, too.
      if (this.#cut.has(link)) this.counts.lost++;
      else this.#receivers.get(to)?.receive(decodeMessage(frame));
    });
  }

  /** The same for each pair, and now and then much longer. */
  #delay(from: number, to: number): number {
    const { delayMs } = this.#plan;
    const far = ((from * 7 + to * 13 + from * to) % 10) / 10;
    const tail = this.#random.below(100) === 0 ? this.#random.float() * delayMs * 8 : 0;
    return 0.05 + delayMs * (0.1 + far) * (0.8 + 0.4 * this.#random.float()) + tail;
  }
}

/**
 * Waiting for the leader to confirm that it still leads (thesis §6.4): any node may ask. A request can
 * be lost with a message or a leader; then it is made again, until its time is up.
 */
import { toHex } from "../base/bytes.ts";
import type { Cancel, Clock } from "../platform/clock.ts";
import { ProposalDropped } from "../raft/errors.ts";
import type { ReadState } from "../raft/types.ts";

const RETRY_MS = 500;
const MAX_WAITING = 1024;
/** Who asks while a request is on its way waits for the next one: it says nothing of later commits. */
interface Barrier {
  readonly context: Uint8Array;
  readonly resolve: (index: number) => void;
  readonly reject: (error: Error) => void;
  readonly cancel: Cancel;
}

export class ReadBarriers {
  readonly #clock: Clock;
  readonly #random: (length: number) => Uint8Array;
  readonly #ask: (context: Uint8Array) => void;
  readonly #waiting = new Map<string, Barrier>();
  #retry: Cancel | null = null;
  #ended = false;

  constructor(
    clock: Clock,
    random: (length: number) => Uint8Array,
    ask: (context: Uint8Array) => void,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#ask = ask;
  }

  begin(timeoutMs: number): Promise<number> {
    if (this.#ended || this.#waiting.size >= MAX_WAITING)
      return Promise.reject(new ProposalDropped());
    // Unique among all nodes: the leader keeps requests by their context.
    const context = this.#random(16);
    const key = toHex(context);
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () => {
        this.#waiting.delete(key);
        reject(new ProposalDropped());
      });
      this.#waiting.set(key, { context, resolve, reject, cancel });
      this.#ask(context);
      this.#retryLater();
    });
  }

  passed({ index, context }: ReadState): void {
    const key = toHex(context);
    const barrier = this.#waiting.get(key);
    if (barrier === undefined) return;
    this.#waiting.delete(key);
    barrier.cancel();
    barrier.resolve(index);
  }

  /** What was asked of the old one is not answered any more. */
  leaderChanged(): void {
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#retry !== null || this.#waiting.size === 0 || this.#ended) return;
    this.#retry = this.#clock.after(RETRY_MS, () => {
      this.#retry = null;
      for (const { context } of [...this.#waiting.values()]) this.#ask(context);
      this.#retryLater();
    });
  }

  end(): void {
    this.#ended = true;
    this.#retry?.();
    for (const { cancel, reject } of this.#waiting.values()) {
      cancel();
      reject(new ProposalDropped());
    }
    this.#waiting.clear();
  }
}

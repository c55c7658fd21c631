/** What one side of a link has asked and was not answered yet (contract: protocol.ts). */
import type { Cancel, Clock } from "../platform/clock.ts";

/** Of calls and fetches. */
const MAX_PENDING = 256;

/** The other side could not do what it was asked for. */
export class CallFailed extends Error {
  readonly kind: string;
  readonly next: string;
  constructor(kind: string, text: string, next = "") {
    super(text);
    this.name = "CallFailed";
    this.kind = kind;
    this.next = next;
  }
}

/** A call is answered with a value, a fetch with entries. */
export type AnswerKind = "value" | "entries";

interface Pending {
  readonly kind: AnswerKind;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly cancel: Cancel;
}

export class PendingCalls {
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  #lastNumber = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `send` gets the number that the answer will have. Rejects with CallFailed. */
  ask(
    kind: AnswerKind,
    usable: boolean,
    timeoutMs: number,
    send: (number: number) => void,
  ): Promise<unknown> {
    if (!usable || this.#pending.size >= MAX_PENDING) {
      return Promise.reject(new CallFailed("unavailable", "The link to that node is not usable"));
    }
    this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    const number = this.#lastNumber;
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(timeoutMs, () => {
        const late = `That node did not answer within ${timeoutMs} ms: what was asked for may still happen`;
        this.settle(null, number, null, new CallFailed("unavailable", late));
      });
      this.#pending.set(number, { kind, resolve, reject, cancel });
      try {
        send(number);
      } catch (error) {
        this.settle(null, number, null, error as Error);
      }
    });
  }

  /** `kind` is null for a failure. What comes late, or is no answer to what was asked, is passed over. */
  settle(kind: AnswerKind | null, number: number, value: unknown, error: Error | null): void {
    const pending = this.#pending.get(number);
    if (pending === undefined || (kind !== null && kind !== pending.kind)) return;
    this.#pending.delete(number);
    pending.cancel();
    if (error === null) pending.resolve(value);
    else pending.reject(error);
  }

  /** No answer will come any more. */
  end(): void {
    const gone = new CallFailed("unavailable", "The link to that node ended");
    for (const number of [...this.#pending.keys()]) this.settle(null, number, null, gone);
  }
}

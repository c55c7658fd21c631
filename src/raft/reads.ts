/**
 * Linearizable reads without writing to the log (thesis §6.4): a request notes the commit index;
 * it may be answered once a quorum has confirmed, by a round of heartbeats that carries the
 * request's context, that this node still led. A later round confirms all earlier requests too.
 */
import type { Message } from "./types.ts";

interface PendingRead {
  readonly request: Message;
  readonly index: number;
  readonly acks: Set<number>;
}

export class PendingReads {
  /** By context, in the order of their coming. */
  readonly #pending = new Map<string, PendingRead>();

  /** A context that is already pending is not added again. */
  add(index: number, request: Message): void {
    const key = keyOf(request.context);
    if (!this.#pending.has(key)) this.#pending.set(key, { request, index, acks: new Set() });
  }

  /** Everybody who confirmed a request; null for an unknown one. */
  ack(from: number, context: Uint8Array): ReadonlySet<number> | null {
    const read = this.#pending.get(keyOf(context));
    if (read === undefined) return null;
    read.acks.add(from);
    return read.acks;
  }

  /** The request with this context and all before it: they are confirmed, and forgotten. */
  take(context: Uint8Array): { readonly request: Message; readonly index: number }[] {
    const last = keyOf(context);
    if (!this.#pending.has(last)) return [];
    const taken: PendingRead[] = [];
    for (const [key, read] of this.#pending) {
      this.#pending.delete(key);
      taken.push(read);
      if (key === last) break;
    }
    return taken;
  }

  /** What the next heartbeats ask to confirm. */
  lastContext(): Uint8Array | null {
    const last = [...this.#pending.values()].at(-1);
    return last?.request.context ?? null;
  }

  get size(): number {
    return this.#pending.size;
  }
}

function keyOf(context: Uint8Array): string {
  let key = "";
  for (const byte of context) key += String.fromCharCode(byte);
  return key;
}

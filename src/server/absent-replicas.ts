/**
 * Where replicas stood that left: purge keeps what they will ask for when they come back, for as
 * long as it is told to. In memory only: after a restart whoever has not come back is unknown.
 *
 * By server_uuid, the only name that a replica keeps; tools have none and are not remembered.
 * Bounded, since anybody who may dump can make uuids up: the one that left first is forgotten.
 */
import type { Clock } from "../platform/clock.ts";

const MAX_REPLICAS = 256;

interface Absent {
  readonly entry: number;
  /** Monotonic: a jump of the wall clock must not give up anything. */
  readonly leftMs: number;
}

export class AbsentReplicas {
  readonly #clock: Pick<Clock, "mono">;
  /** In order of leaving. */
  readonly #absent = new Map<string, Absent>();

  constructor(clock: Pick<Clock, "mono">) {
    this.#clock = clock;
  }

  /** `entry` is null when it left before it had begun: what is known of it stays as it is. */
  left(uuid: string, entry: number | null): void {
    if (uuid === "" || entry === null) return;
    this.#absent.delete(uuid);
    this.#absent.set(uuid, { entry, leftMs: this.#clock.mono() });
    if (this.#absent.size <= MAX_REPLICAS) return;
    const oldest = this.#absent.keys().next().value;
    if (oldest !== undefined) this.#absent.delete(oldest);
  }

  /** It is back and has begun to read: where it stands now is what counts. */
  isBack(uuid: string): void {
    this.#absent.delete(uuid);
  }

  /** The oldest entry that one of those needs who left within the last `forMs`; null when none does. */
  oldest(forMs: number): number | null {
    const now = this.#clock.mono();
    let oldest: number | null = null;
    for (const { entry, leftMs } of this.#absent.values()) {
      if (now - leftMs >= forMs) continue;
      if (oldest === null || entry < oldest) oldest = entry;
    }
    return oldest;
  }
}

/** Waiting until a client has taken what was sent to it, as long as it takes anything at all. */
import type { PacketConnection } from "../mysql/connection.ts";
import type { Clock } from "../platform/clock.ts";

const EVERY_MS = 2_000;

export interface DrainTimes {
  readonly clock: Clock;
  /** Without a byte taken for that long, the connection is closed. */
  readonly writeTimeoutMs: number;
}

export interface DrainWatch {
  /** Now and then, with how long it has taken. */
  waited?(ms: number): void;
  /** It took nothing in time; its connection is being closed. */
  gaveUp?(ms: number): void;
}

/** Resolves when there is room for more. Rejects with ConnectionLost. */
export async function drainedInTime(
  connection: PacketConnection,
  { clock, writeTimeoutMs }: DrainTimes,
  watch: DrainWatch = {},
): Promise<void> {
  const startedMs = clock.mono();
  const everyMs = Math.min(EVERY_MS, writeTimeoutMs);
  let lowest = connection.queuedBytes;
  let progressMs = startedMs;
  const check = (): void => {
    const now = clock.mono();
    const queued = connection.queuedBytes;
    if (queued < lowest) {
      lowest = queued;
      progressMs = now;
    }
    watch.waited?.(now - startedMs);
    if (now - progressMs >= writeTimeoutMs) {
      watch.gaveUp?.(now - progressMs);
      connection.destroy();
    } else cancel = clock.after(everyMs, check);
  };
  let cancel = clock.after(everyMs, check);
  try {
    await connection.drained();
  } finally {
    cancel();
  }
}

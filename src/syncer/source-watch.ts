/**
 * What shows in no event while a pull runs: a source that says nothing more, one whose sets no
 * longer fit ours, and one that no longer waits for our ACKs.
 */
import type { Logger } from "../base/logger.ts";
import { ClientError, type MysqlClient } from "../mysql/client.ts";
import type { Cancel, Clock } from "../platform/clock.ts";
import type { SyncerHost } from "./host.ts";
import { type SemiSyncWatch, semiSyncCounters } from "./semi-sync-watch.ts";
import { gtidSets, type SourceFacts } from "./source-checks.ts";
import { checkSets } from "./source-sets.ts";

export const HEARTBEAT_MS = 5_000;
/** Without any packet for so long the source, or the way to it, is gone. */
const SILENCE_MS = 3 * HEARTBEAT_MS + 1_000;
const SETS_CHECK_MS = 10_000;

export class SilenceWatch {
  readonly #clock: Clock;
  readonly #host: SyncerHost;
  readonly #failed: (error: Error) => void;
  #heardMs = 0;
  #timer: Cancel = () => {};

  constructor(clock: Clock, host: SyncerHost, failed: (error: Error) => void) {
    this.#clock = clock;
    this.#host = host;
    this.#failed = failed;
  }

  heard(): void {
    this.#heardMs = this.#clock.mono();
  }

  start(): void {
    this.heard();
    this.#look();
  }

  stop(): void {
    this.#timer();
  }

  #look(): void {
    const quietMs = this.#clock.mono() - this.#heardMs;
    // Not reading because our own log is behind is no silence of the source's.
    if (quietMs >= SILENCE_MS && this.#host.pendingBytes === 0) {
      const message = `No packet from the source for ${Math.round(quietMs)} ms`;
      this.#failed(new ClientError("timeout", message));
      return;
    }
    this.#timer = this.#clock.after(HEARTBEAT_MS, () => this.#look());
  }
}

export interface SetsWatchParts {
  readonly clock: Clock;
  readonly host: SyncerHost;
  readonly logger: Logger;
  readonly control: MysqlClient;
  readonly facts: SourceFacts;
  readonly semiSyncWatch: SemiSyncWatch;
  /** The pull runs, and sends ACKs. */
  readonly acknowledges: () => boolean;
}

/** Asks now and then until the first trouble, which it gives to `failed`. Returns what ends it. */
export function watchSets(parts: SetsWatchParts, failed: (error: Error) => void): Cancel {
  let timer: Cancel = () => {};
  const wait = (): void => {
    timer = parts.clock.after(SETS_CHECK_MS, () => void look(parts).then(wait, failed));
  };
  wait();
  return () => timer();
}

async function look(parts: SetsWatchParts): Promise<void> {
  const { host, logger, control, facts, semiSyncWatch } = parts;
  // Taken before the question: what comes in meanwhile may not be in the answer.
  const stored = host.stream.executed.clone();
  checkSets(host, { ...facts, ...(await gtidSets(control)) }, stored);
  if (parts.acknowledges()) semiSyncWatch.look(facts.uuid, await semiSyncCounters(control), logger);
}

/**
 * What shows in no event while a pull runs: a source that says nothing more, one whose sets no
 * longer fit ours, and one that no longer waits for our ACKs.
 */
import { backoffMs } from "../base/backoff.ts";
import type { Logger } from "../base/logger.ts";
import { ClientError, type MysqlClient } from "../mysql/client.ts";
import { type Cancel, type Clock, delay } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import { HEARTBEAT_MS } from "./dump-connection.ts";
import { type SourceConfig, type SyncerHost, SyncerStop } from "./host.ts";
import { type SemiSyncWatch, semiSyncCounters } from "./semi-sync-watch.ts";
import { gtidSets, readFacts, readSourceValues, type SourceFacts } from "./source-checks.ts";
import { checkSets } from "./source-sets.ts";

/** Without any packet for so long the source, or the way to it, is gone. */
const SILENCE_MS = 3 * HEARTBEAT_MS + 1_000;
const SETS_CHECK_MS = 10_000;
const BACKOFF = { baseMs: 1_000, maxMs: 30_000 };

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
  readonly platform: Platform;
  readonly host: SyncerHost;
  readonly config: SourceConfig;
  readonly logger: Logger;
  /** The server that is pulled from. */
  readonly sourceUuid: string;
  readonly connect: () => Promise<MysqlClient>;
  /** What it says of itself, whenever it was asked anew. */
  readonly onFacts: (facts: SourceFacts) => void;
  readonly semiSyncWatch: SemiSyncWatch;
  /** The pull sends ACKs. */
  readonly semiSync: boolean;
}

/** Asks the source now and then, beside the pull. While it cannot be asked the pull goes on. */
export class SetsWatch {
  readonly #parts: SetsWatchParts;
  readonly #abort = new AbortController();

  constructor(parts: SetsWatchParts) {
    this.#parts = parts;
  }

  /** `control` is logged in already; null opens one. Rejects with what must end the pull. */
  async run(control: MysqlClient | null): Promise<void> {
    const { signal } = this.#abort;
    const { clock, random } = this.#parts.platform;
    let client = control;
    for (let failures = 0; !signal.aborted; ) {
      try {
        client ??= await this.#open();
        await delay(clock, SETS_CHECK_MS, signal);
        if (!signal.aborted) await this.#look(client);
        failures = 0;
      } catch (error) {
        if (error instanceof SyncerStop || error instanceof OtherSource) throw error;
        client?.connection.destroy();
        client = null;
        await delay(clock, backoffMs(failures++, BACKOFF, random.u32() / 0x1_0000_0000), signal);
      }
    }
  }

  stop(): void {
    this.#abort.abort();
  }

  async #open(): Promise<MysqlClient> {
    const { connect, config, host, sourceUuid, onFacts } = this.#parts;
    const client = await connect();
    const facts = await readFacts(client, config);
    if (facts.uuid !== sourceUuid)
      throw new OtherSource(`Another server answers in the source's place: ${facts.uuid}`);
    mustPass(facts);
    host.sourceSays(facts.values);
    onFacts(facts);
    return client;
  }

  async #look(client: MysqlClient): Promise<void> {
    const { host, logger, sourceUuid, semiSync, semiSyncWatch } = this.#parts;
    // Taken before the question: what comes in meanwhile may not be in the answer.
    const stored = host.stream.executed.clone();
    checkSets(host, { uuid: sourceUuid, ...(await gtidSets(client)) }, stored);
    if (semiSync) semiSyncWatch.look(sourceUuid, await semiSyncCounters(client), logger);
    host.sourceSays(await readSourceValues(client));
  }
}

class OtherSource extends Error {}

/** A check that failed would make replication wrong. */
export function mustPass({ checks }: SourceFacts): void {
  const failed = checks.filter((check) => check.level === "fail");
  if (failed.length === 0) return;
  const reason = failed.map((check) => check.message).join(". ");
  throw new SyncerStop("REFUSED", reason, "mend the source, then binraft syncer start");
}

/**
 * The top of the ladder: keeps a pull going while this node leads and the operator wants it.
 * Trouble that can pass is tried again with back-off; what cannot pass stops the syncer in a state
 * that says why and what to do, until `start` or other settings.
 */
import { backoffMs } from "../base/backoff.ts";
import type { Logger } from "../base/logger.ts";
import { printable } from "../base/logger.ts";
import { type Service, Wakeup } from "../base/service.ts";
import type { Pull } from "../binlog/chunk.ts";
import { delay } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import {
  type SourceConfig,
  type SyncerHost,
  type SyncerStateName,
  type SyncerStatus,
  SyncerStop,
} from "./host.ts";
import type { KeptConnection } from "./kept-connection.ts";
import { PullEnded } from "./pull-stream.ts";
import { SemiSyncWatch } from "./semi-sync-watch.ts";
import type { SourceLogin } from "./source-login.ts";
import { type SessionProgress, SourceSession } from "./source-session.ts";
import { troubleWith } from "./source-trouble.ts";

const BACKOFF = { baseMs: 250, maxMs: 15_000 };
/** So many broken pulls of one transaction in a row slow the retry and raise an alarm. */
const BROKEN_PULLS = 3;
const BROKEN_BACKOFF_MS = 30_000;
/** So many pulls in a row of which apply took nothing will not get better by themselves. */
const REFUSED_PULLS = 5;
const SAME_UUID = /same server_uuid/;

export interface SyncerOptions {
  readonly platform: Platform;
  readonly host: SyncerHost;
  readonly logger: Logger;
  /** The settings as they are now; null when there is no source. Rejects with a sentence. */
  readonly config: () => Promise<SourceConfig | null>;
  /** Null while it is to run; else why not. */
  readonly stopped: () => string | null;
  readonly login: SourceLogin;
  readonly kept: KeptConnection;
  /** For status: where we would connect, without secrets. */
  readonly describe: () => string;
}

export class Syncer implements Service {
  readonly #options: SyncerOptions;
  readonly #changed = new Wakeup();
  #state: SyncerStateName = "STOPPED";
  #reason = "It has not begun yet";
  #next = "";
  #gtids: Readonly<Record<string, string>> = {};
  #attempts = 0;
  /** Of the source that was tried last. */
  #place = { host: "", port: 0 };
  /** Since a pull held. */
  #failures = 0;
  #refusedPulls = 0;
  #evicted = 0;
  #pullId = 0;
  #current: AbortController | null = null;
  /** An operator's stop: stays until settings change. */
  #halted = false;
  readonly #progress: SessionProgress = {
    checks: [],
    errant: null,
    running: false,
    semiSync: false,
    semiSyncWatch: new SemiSyncWatch(),
    file: "",
    acksSent: 0,
    ackedFile: "",
    ackedPosition: 0,
    receivedBytes: 0,
    connectedAtMs: 0,
  };

  constructor(options: SyncerOptions) {
    this.#options = options;
  }

  /** Settings changed, or the operator said start: forget what stopped us and begin anew. */
  restart(): void {
    this.#begin();
    this.#progress.errant = null;
    const blocked = this.#blocked();
    // Who changed them is shown the state of now, and not the one that the change ends.
    if (blocked === null) this.#show("CONNECTING", "The settings have changed", "");
    else this.#show("STOPPED", blocked.reason, blocked.next);
    this.#current?.abort();
    this.#changed.wake();
  }

  #begin(): void {
    this.#halted = false;
    this.#failures = 0;
    this.#refusedPulls = 0;
    this.#evicted = 0;
  }

  /** For the status while it does not run. */
  rest(reason: string): void {
    this.#show("STOPPED", reason, "");
  }

  /** While this node leads, once a term. What stopped an earlier term is found again if it still holds. */
  async run(signal: AbortSignal): Promise<void> {
    this.#begin();
    const stop = (): void => {
      this.#current?.abort();
      this.#changed.wake();
    };
    signal.addEventListener("abort", stop, { once: true });
    while (!signal.aborted) {
      const blocked = this.#blocked();
      if (blocked !== null) {
        this.#show("STOPPED", blocked.reason, blocked.next);
        await this.#wait(null);
        continue;
      }
      if (this.#halted) {
        await this.#wait(null);
        continue;
      }
      await this.#attempt();
      if (!signal.aborted && !this.#halted) await this.#wait(this.#backoffMs());
    }
    signal.removeEventListener("abort", stop);
    this.#show("STOPPED", "This node does not lead, or is stopping", "");
  }

  #blocked(): { reason: string; next: string } | null {
    const { host, stopped } = this.#options;
    const why = stopped();
    if (why !== null) return { reason: why, next: "binraft syncer start" };
    if (!host.leads) return { reason: "This node does not lead", next: "" };
    return null;
  }

  /** Until settings or leadership change, or for so long. */
  async #wait(ms: number | null): Promise<void> {
    const abort = new AbortController();
    this.#changed.once(() => abort.abort());
    if (ms === null)
      await new Promise<void>((resolve) => abort.signal.addEventListener("abort", () => resolve()));
    else await delay(this.#options.platform.clock, ms, abort.signal);
  }

  async #attempt(): Promise<void> {
    const { platform, host, logger, login, kept } = this.#options;
    this.#attempts++;
    const controller = new AbortController();
    this.#current = controller;
    let session: SourceSession | null = null;
    try {
      const config = await this.#options.config();
      if (config === null) {
        const next = "binraft syncer set mysql://user@host:3306 --password-file FILE";
        this.#halted = true;
        this.#show("STOPPED", "No source is set", next);
        return;
      }
      if (this.#state !== "RUNNING")
        this.#show("CONNECTING", `Connecting to ${config.host}:${config.port}`, "");
      this.#place = config;
      const [pull, progress] = [this.#nextPull(), this.#progress];
      session = new SourceSession({ platform, host, config, pull, progress, logger, login, kept });
      await session.run(controller.signal, () =>
        this.#show("RUNNING", `Pulling from ${this.#options.describe()}`, ""),
      );
    } catch (error) {
      this.#count(session);
      this.#ended(error as Error);
    } finally {
      controller.abort();
      this.#current = null;
    }
  }

  /** What failed before a pull that held is past; a login alone proves nothing. */
  #count(session: SourceSession | null): void {
    if (session?.held) {
      this.#failures = 0;
      this.#refusedPulls = 0;
    }
    this.#failures++;
    if (session !== null && session.refusal !== "") this.#refusedPulls++;
  }

  /** Every other id is free for the small pull that may precede the main one (last-proof.ts). */
  #nextPull(): Pull {
    const { host } = this.#options;
    const { term, id } = host.stream.pull;
    const after = term === host.term ? id : 0;
    this.#pullId = Math.max(this.#pullId, after) + 2;
    return { term: host.term, id: this.#pullId };
  }

  /** What cannot pass: stays until an operator acts. */
  #halt(stop: SyncerStop): void {
    const { state, message, next, gtids } = stop;
    this.#halted = true;
    this.#show(state, message, next, gtids);
    this.#options.logger.error("The syncer stopped", { state, reason: message, next });
  }

  #ended(error: Error): void {
    const { logger } = this.#options;
    if (error instanceof SyncerStop) {
      this.#halt(error);
      return;
    }
    const text = printable(error.message, 512);
    if (SAME_UUID.test(text) && ++this.#evicted > 1) {
      this.#halt(
        new SyncerStop(
          "REFUSED",
          "Another client pulls from the source under our server_uuid and takes the connection",
          "stop the other one (a copy of this node?), then binraft syncer start",
        ),
      );
      return;
    }
    if (this.#refusedPulls >= REFUSED_PULLS) {
      this.#halt(
        new SyncerStop(
          "REFUSED",
          `${REFUSED_PULLS} pulls in a row began with what does not continue the stream. ${text}`,
          "see whether source and log fit: binraft syncer check, binraft binlog list; then binraft syncer start, " +
            "or begin anew (binraft syncer new-timeline)",
        ),
      );
      return;
    }
    if (error instanceof PullEnded) {
      this.#show("CONNECTING", text, "");
      logger.info("The pull ended", { reason: text });
      return;
    }
    const { reason, next } = troubleWith(error, this.#place);
    const shown = printable(reason, 512);
    this.#show("CONNECTING", `Trying again: ${shown}`, next);
    logger.warn("The pull ended", { reason: shown });
  }

  #backoffMs(): number {
    const { platform, host } = this.#options;
    if (host.stream.brokenPulls >= BROKEN_PULLS) return BROKEN_BACKOFF_MS;
    const random = platform.random.u32() / 0x1_0000_0000;
    return backoffMs(Math.max(0, this.#failures - 1), BACKOFF, random);
  }

  #show(
    state: SyncerStateName,
    reason: string,
    next: string,
    gtids: Readonly<Record<string, string>> = {},
  ): void {
    this.#state = state;
    this.#reason = reason;
    this.#next = next;
    this.#gtids = gtids;
  }

  status(): SyncerStatus {
    const { host, platform, describe, kept, login } = this.#options;
    const progress = this.#progress;
    const file = host.stream.file;
    const semiSync = progress.running && progress.semiSync;
    return {
      state: this.#state,
      reason: this.#reason,
      next: this.#next,
      gtids: this.#gtids,
      source: describe(),
      sourceUuid: host.stream.source?.uuid ?? "",
      sourceVersion: host.stream.source?.version ?? "",
      file: file?.sourceName ?? "",
      position: file?.size ?? 0,
      semiSync,
      semiSyncSource: semiSync ? progress.semiSyncWatch.state : null,
      acksSent: progress.acksSent,
      ackedFile: progress.ackedFile,
      ackedPosition: progress.ackedPosition,
      attempts: this.#attempts,
      connectedMs: progress.running
        ? Math.round(platform.clock.mono() - progress.connectedAtMs)
        : 0,
      receivedBytes: progress.receivedBytes,
      brokenPulls: host.stream.brokenPulls,
      kept: kept.status(),
      loginHangs: login.hangs,
      checks: progress.errant === null ? progress.checks : [...progress.checks, progress.errant],
    };
  }
}

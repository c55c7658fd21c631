/**
 * One connection to the source that is logged in before it is needed. A source whose commits wait
 * under a lock of accounts lets nobody new in, so a new leader could not send the ACK that would
 * end the wait; and an attach on it takes three round trips less.
 *
 * All that comes before a dump has been said on it. No dump runs on it: a dump request is an
 * acknowledgement. It is pinged, and replaced now and then by one that logged in anew, which also
 * asks the source again what it is: on the kept one itself a question that hangs would cost the
 * connection. While no new login works it stays.
 *
 * `take` gives it away for a dump; then another is opened.
 */
import { type BackoffOptions, backoffMs } from "../base/backoff.ts";
import { printable } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import { ClientError, type MysqlClient } from "../mysql/client.ts";
import { delay } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import { prepareDump } from "./dump-connection.ts";
import type { KeptStatus, SourceConfig } from "./host.ts";
import { readFacts, type SourceFacts } from "./source-checks.ts";
import type { SourceLogin } from "./source-login.ts";

/** As sys.processlist and performance_schema.session_connect_attrs show it. */
export const KEPT_NAME = "binraft-kept";
const PING_MS = 15_000;
/** Half of it to one and a half. */
const RENEW_MS = 600_000;
const BACKOFF: BackoffOptions = { baseMs: 1_000, maxMs: 30_000 };
/** A source that restarted is not asked by all nodes in the same moment. */
const SPREAD_MS = 2_000;
/** The source ends it itself when a node is gone without a word; several pings long. */
const WAIT_TIMEOUT_S = 600;

export interface Kept {
  readonly client: MysqlClient;
  readonly facts: SourceFacts;
}

interface Held extends Kept {
  readonly settings: string;
  readonly sinceMs: number;
  /** The ping that is on its way, or the last one. */
  ping: Promise<void>;
}

export interface KeptOptions {
  readonly platform: Platform;
  readonly login: SourceLogin;
  /** Null while none is to be kept. Rejects with a sentence. */
  readonly config: () => Promise<SourceConfig | null>;
}

export class KeptConnection implements Service {
  readonly #options: KeptOptions;
  #sleep = new AbortController();
  #held: Held | null = null;
  #trouble: string | null = null;
  #wanted = false;
  #failures = 0;
  /** When to log in next. */
  #openAtMs = 0;
  /** What kept it from being opened may be another now. */
  #isNews = false;

  constructor(options: KeptOptions) {
    this.#options = options;
  }

  status(): KeptStatus {
    const ageMs = this.#held === null ? 0 : Math.round(this.#now - this.#held.sinceMs);
    if (this.#held !== null) return { state: "ready", reason: this.#trouble ?? "", ageMs };
    if (!this.#wanted) return { state: "off", reason: "", ageMs };
    return { state: "connecting", reason: this.#trouble ?? "", ageMs };
  }

  /** Settings or membership changed: look at once whether one is to be kept, and of which source. */
  look(): void {
    this.#isNews = true;
    this.#sleep.abort();
  }

  /** What the source was when the connection logged in; null when there is none for these settings. */
  peek(config: SourceConfig): SourceFacts | null {
    return this.#held?.settings === JSON.stringify(config) ? this.#held.facts : null;
  }

  /** The caller's from now on. */
  async take(config: SourceConfig): Promise<Kept | null> {
    const held = this.#held;
    if (held === null || held.settings !== JSON.stringify(config)) return null;
    this.#held = null;
    this.#openSoon();
    try {
      await held.ping;
      return held;
    } catch {
      return null;
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#sleep.abort();
    signal.addEventListener("abort", wake, { once: true });
    while (!signal.aborted) {
      const config = await this.#config();
      if (config === null || (this.#held !== null && this.peek(config) === null)) this.#drop();
      if (this.#isNews && this.#held === null) this.#openAtMs = this.#now;
      this.#isNews = false;
      if (config === null) {
        await this.#wait(PING_MS, signal);
        continue;
      }
      if (this.#now >= this.#openAtMs) await this.#open(config, signal);
      else if (this.#held !== null) await this.#ping(this.#held, signal);
      await this.#wait(Math.min(PING_MS, Math.max(1, this.#openAtMs - this.#now)), signal);
    }
    signal.removeEventListener("abort", wake);
    this.#drop();
  }

  get #now(): number {
    return this.#options.platform.clock.mono();
  }

  get #random(): number {
    return this.#options.platform.random.u32() / 0x1_0000_0000;
  }

  async #config(): Promise<SourceConfig | null> {
    try {
      const config = await this.#options.config();
      this.#wanted = config !== null;
      return config;
    } catch (error) {
      this.#trouble = printable((error as Error).message, 512);
      return null;
    }
  }

  async #open(config: SourceConfig, signal: AbortSignal): Promise<void> {
    let client: MysqlClient | null = null;
    const abort = (): void => client?.connection.destroy();
    signal.addEventListener("abort", abort, { once: true });
    try {
      client = await this.#options.login.connect(config, KEPT_NAME, signal);
      const facts = await readFacts(client, config);
      await client.execute(`SET SESSION wait_timeout = ${WAIT_TIMEOUT_S}`);
      await prepareDump(client, { ...config, semiSync: config.semiSync && facts.semiSync });
      if (signal.aborted) return client.close();
      this.#drop();
      this.#hold({ client, facts, settings: JSON.stringify(config), sinceMs: this.#now });
      this.#trouble = null;
      this.#failures = 0;
      this.#openAtMs = this.#now + RENEW_MS * (0.5 + this.#random);
    } catch (error) {
      client?.connection.destroy();
      this.#trouble = printable((error as Error).message, 512);
      // A wrong password, tried again and again, can lock the account.
      const isAuth = error instanceof ClientError && error.code === "auth";
      const waitMs = isAuth ? RENEW_MS : backoffMs(this.#failures++, BACKOFF, this.#random);
      this.#openAtMs = this.#now + waitMs;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #hold(parts: Omit<Held, "ping">): void {
    const held: Held = { ...parts, ping: Promise.resolve() };
    this.#held = held;
    void held.client.connection.closed.then(() => this.#lost(held));
  }

  #lost(held: Held): void {
    if (this.#held !== held) return;
    this.#held = null;
    held.client.connection.destroy();
    this.#openSoon();
  }

  #openSoon(): void {
    this.#openAtMs = this.#now + this.#random * SPREAD_MS;
    this.#sleep.abort();
  }

  async #ping(held: Held, signal: AbortSignal): Promise<void> {
    const abort = (): void => held.client.connection.destroy();
    signal.addEventListener("abort", abort, { once: true });
    held.ping = held.client.ping();
    await held.ping.catch(() => this.#lost(held));
    signal.removeEventListener("abort", abort);
  }

  #drop(): void {
    this.#held?.client.close();
    this.#held = null;
    // Of other settings the first one is opened at once.
    this.#openAtMs = Math.min(this.#openAtMs, this.#now);
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!signal.aborted) await delay(this.#options.platform.clock, ms, this.#sleep.signal);
    this.#sleep = new AbortController();
  }
}

/** A changing workload on the source from several sessions, and a record of what was acknowledged. */

import type { MysqlServer } from "./mysql/server.ts";
import { everyday, KINDS } from "./workload.ts";

const SESSIONS = 4;
/** Kinds that may run beside each other; one of them every so many transactions. */
const MIXED = [
  "ddl",
  "myisam",
  "savepoint",
  "xa",
  "statement",
  "compressed",
  "tagged",
  "flush",
] as const;
const KIND_EVERY = 40;
const AFTER_FAILURE_MS = 100;
/** Beyond so many the older half is forgotten. */
const KEPT_TIMES = 200_000;

export interface LoadOptions {
  readonly sessions?: number;
  /** Between two statements of a session. */
  readonly pauseMs?: number;
  /** Of all sessions together, where commits are quick enough; as many as they can when absent. */
  readonly perSecond?: number;
  /** Only traced rows. */
  readonly traced?: boolean;
  /** Numbers begin behind it: another load has written those before. */
  readonly after?: number;
}

export class Load {
  readonly #source: MysqlServer;
  readonly #options: LoadOptions;
  readonly #sessions: Promise<void>[] = [];
  /** When commits returned, and how long each took. */
  readonly #times: number[] = [];
  readonly #latencies: number[] = [];
  #running = false;
  #startedMs = 0;
  #stoppedMs = 0;
  #counter = 0;
  /** Numbers of rows whose commit returned: each must be on every replica at the end. */
  readonly acknowledged: Set<number> = new Set();
  committed = 0;
  /** Statements that failed, and why the first did. */
  failed = 0;
  failure: string | null = null;

  constructor(source: MysqlServer, options: LoadOptions = {}) {
    this.#source = source;
    this.#options = options;
    this.#counter = options.after ?? 0;
  }

  /** The last number that was used. */
  get last(): number {
    return this.#counter;
  }

  get elapsedMs(): number {
    return (this.#stoppedMs || performance.now()) - this.#startedMs;
  }

  start(): void {
    this.#running = true;
    this.#startedMs = performance.now();
    const { sessions = SESSIONS } = this.#options;
    for (let i = 0; i < sessions; i++) this.#sessions.push(this.#session(i));
  }

  async #session(session: number): Promise<void> {
    const shell = this.#source.openShell();
    const { pauseMs = 0, perSecond, sessions = SESSIONS } = this.#options;
    const everyMs = perSecond === undefined ? 0 : (1000 * sessions) / perSecond;
    let nextMs = performance.now() + (everyMs * session) / sessions;
    try {
      while (this.#running) {
        // Who is late does not hurry: the time since the last is not caught up.
        const waitMs = Math.max(pauseMs, nextMs - performance.now());
        nextMs = Math.max(nextMs, performance.now()) + everyMs;
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
        if (!this.#running) break;
        const n = ++this.#counter;
        const began = performance.now();
        try {
          await shell.query(this.#statement(session, n), 600_000);
        } catch (error) {
          this.failed++;
          this.failure ??= (error as Error).message;
          // A statement that fails at once must not become a busy loop.
          await new Promise((resolve) => setTimeout(resolve, AFTER_FAILURE_MS));
          continue;
        }
        this.#committed(n, performance.now() - began);
      }
    } finally {
      await shell.close();
    }
  }

  /** Most are one traced row; now and then the other kinds. */
  #statement(session: number, n: number): string {
    if (!this.#options.traced && n % KIND_EVERY === 0) {
      const kind = MIXED[(n / KIND_EVERY) % MIXED.length]!;
      return KINDS[kind]!(n);
    }
    if (!this.#options.traced && n % 10 === 0 && session === 0) return everyday(n);
    const note = `${"n".repeat(20 + (n % 200))}`;
    return `INSERT INTO shop.traced (n, note) VALUES (${n}, '${note}')`;
  }

  #committed(n: number, ms: number): void {
    this.committed++;
    this.#latencies.push(ms);
    if (this.#times.push(performance.now()) > KEPT_TIMES) {
      this.#times.splice(0, KEPT_TIMES / 2);
      this.#latencies.splice(0, KEPT_TIMES / 2);
    }
    if (this.#options.traced === true) this.acknowledged.add(n);
    else if (n % KIND_EVERY !== 0 && !(n % 10 === 0)) this.acknowledged.add(n);
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    await Promise.all(this.#sessions);
    this.#stoppedMs = performance.now();
  }

  /**
   * The longest time without a commit since then, milliseconds, and when it ended. A commit that
   * comes right after a fault was acknowledged before it: so the first one says nothing. With an end, a
   * silence that lasts until then, or beyond it, counts too.
   */
  longestSilence(sinceMs: number, untilMs?: number): { ms: number; endedMs: number } {
    let longest = { ms: 0, endedMs: sinceMs };
    let last = sinceMs;
    const times = untilMs === undefined ? this.#times : [...this.#times, performance.now()];
    for (const time of times) {
      if (time < sinceMs) continue;
      if (untilMs !== undefined && last >= untilMs) break;
      if (time - last > longest.ms) longest = { ms: time - last, endedMs: time };
      last = time;
    }
    return longest;
  }

  /** Of the time from a statement to its answer, milliseconds; of those answered since then. */
  percentile(p: number, sinceMs = 0): number {
    const first = this.#times.findIndex((time) => time >= sinceMs);
    const recent = first < 0 ? [] : this.#latencies.slice(first);
    const sorted = recent.sort((a, b) => a - b);
    const value = sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))] ?? 0;
    return Math.round(value * 100) / 100;
  }
}

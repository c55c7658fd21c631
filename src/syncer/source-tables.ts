/**
 * What the source says of its tables, for clients that may ask (server/tables.ts). Asked over connections
 * of their own, which are opened when they are needed: the kept one is for the pull.
 *
 * An answer is given again for a moment, and only while nothing new has come from the source: who has read
 * an ALTER in the stream is told how the table is after it.
 *
 * All is bounded: connections, who waits for one, how long a question takes, its rows and bytes, the cache.
 */
import { type Logger, printable } from "../base/logger.ts";
import { type ClientConfig, connect, type MysqlClient } from "../mysql/client.ts";
import { MysqlError, otherError } from "../mysql/errors.ts";
import type { TextResult } from "../mysql/result-set.ts";
import type { Platform } from "../platform/platform.ts";
import type { SourceConfig } from "./host.ts";
import { clientConfig } from "./source-login.ts";

/** As the source's process list shows it. */
export const TABLES_NAME = "binraft-tables";
const MAX_CONNECTIONS = 4;
const MAX_WAITING = 64;
const CONNECT_MS = 5_000;
const QUESTION_MS = 10_000;
const WAIT_MS = 15_000;
/** Until a connection that nobody uses is closed. */
const IDLE_MS = 5_000;
const MAX_ROWS = 50_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const CACHED_MS = 2_000;
const MAX_CACHE_BYTES = 4 * 1024 * 1024;
const MAX_CACHED_BYTES = 512 * 1024;
const UNKNOWN_VARIABLE = 1193;
const TOO_MANY = "Too many questions about tables wait for the source: ask again later";

export interface SourceTablesOptions {
  readonly platform: Platform;
  readonly logger: Logger;
  /** Null when there is no source. Rejects with a sentence. */
  readonly config: () => Promise<SourceConfig | null>;
  /** Another number whenever something has come from the source. */
  readonly asOf: () => number;
}

interface Answer {
  readonly asOf: number;
  readonly result: Promise<TextResult>;
  /** 0 until it is here. */
  bytes: number;
  untilMs: number;
}

export class SourceTablesReader {
  readonly #options: SourceTablesOptions;
  /** The oldest first. */
  readonly #answers = new Map<string, Answer>();
  #cachedBytes = 0;
  /** Of which source the answers and the idle connections are. */
  #settings = "";
  readonly #idle: MysqlClient[] = [];
  readonly #clients = new Set<MysqlClient>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #stopped = false;

  constructor(options: SourceTablesOptions) {
    this.#options = options;
  }

  /** Rejects with MysqlError: what the source said, or why it could not be asked. */
  async read(sql: string): Promise<TextResult> {
    const config = await this.#config();
    const { mono } = this.#options.platform.clock;
    const asOf = this.#options.asOf();
    const known = this.#answers.get(sql);
    if (known !== undefined && known.asOf === asOf && mono() < known.untilMs) return known.result;
    this.#forget(sql);
    const answer: Answer = {
      asOf,
      result: this.#inTurn(() => this.#ask(sql, config)),
      bytes: 0,
      untilMs: Number.POSITIVE_INFINITY,
    };
    this.#answers.set(sql, answer);
    try {
      const result = await answer.result;
      this.#keep(sql, answer, bytesOf(result));
      return result;
    } catch (error) {
      if (this.#answers.get(sql) === answer) this.#forget(sql);
      throw error;
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const client of this.#clients) client.connection.destroy();
  }

  async #config(): Promise<SourceConfig> {
    let config: SourceConfig | null;
    try {
      config = await this.#options.config();
    } catch (error) {
      throw cannotAsk(error as Error);
    }
    if (config === null || this.#stopped) throw cannotAsk(new Error("no source is set"));
    const settings = JSON.stringify(config);
    if (settings !== this.#settings) {
      this.#settings = settings;
      for (const sql of [...this.#answers.keys()]) this.#forget(sql);
      for (const client of this.#idle.splice(0)) client.close();
    }
    return config;
  }

  #keep(sql: string, answer: Answer, bytes: number): void {
    if (this.#answers.get(sql) !== answer) return;
    if (bytes > MAX_CACHED_BYTES) {
      this.#forget(sql);
      return;
    }
    answer.bytes = bytes;
    answer.untilMs = this.#options.platform.clock.mono() + CACHED_MS;
    this.#cachedBytes += bytes;
    for (const [oldest, { bytes: held }] of this.#answers) {
      if (this.#cachedBytes <= MAX_CACHE_BYTES) break;
      if (held > 0 && oldest !== sql) this.#forget(oldest);
    }
  }

  #forget(sql: string): void {
    this.#cachedBytes -= this.#answers.get(sql)?.bytes ?? 0;
    this.#answers.delete(sql);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= MAX_CONNECTIONS) {
      if (this.#waiting.length >= MAX_WAITING) throw otherError(TOO_MANY);
      await this.#turn();
    } else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  /** Whoever is through hands its place over. */
  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        cancel();
        resolve();
      };
      const cancel = this.#options.platform.clock.after(WAIT_MS, () => {
        this.#waiting.splice(this.#waiting.indexOf(begin), 1);
        reject(otherError(TOO_MANY));
      });
      this.#waiting.push(begin);
    });
  }

  async #ask(sql: string, config: SourceConfig): Promise<TextResult> {
    const settings = JSON.stringify(config);
    let client: MysqlClient | null = null;
    try {
      client = this.#idle.pop() ?? (await this.#connect(config));
      const result = await client.query(sql);
      this.#release(client, settings);
      return result;
    } catch (error) {
      if (error instanceof MysqlError) {
        if (client !== null) this.#release(client, settings);
        throw error;
      }
      // What is left of the answer is in it.
      client?.connection.destroy();
      this.#options.logger.debug("The source could not be asked about its tables", {
        reason: (error as Error).message,
      });
      throw cannotAsk(error as Error);
    }
  }

  async #connect(config: SourceConfig): Promise<MysqlClient> {
    const { platform } = this.#options;
    const asked: ClientConfig = {
      ...clientConfig(config),
      attributes: { program_name: TABLES_NAME },
      connectTimeoutMs: CONNECT_MS,
      queryTimeoutMs: QUESTION_MS,
      maxRows: MAX_ROWS,
      maxResultBytes: MAX_ANSWER_BYTES,
    };
    const client = await connect(asked, platform);
    this.#clients.add(client);
    void client.connection.closed.then(() => {
      this.#clients.delete(client);
      const at = this.#idle.indexOf(client);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    // Literals are written for a session without one (server/table-questions.ts).
    await client.query("SET SESSION sql_mode = ''");
    for (const setting of [`max_execution_time = ${QUESTION_MS}`, "transaction_read_only = ON"]) {
      await client.query(`SET SESSION ${setting}`).catch((error: Error) => {
        if (!(error instanceof MysqlError) || error.errno !== UNKNOWN_VARIABLE) throw error;
      });
    }
    return client;
  }

  #release(client: MysqlClient, settings: string): void {
    if (!this.#clients.has(client)) return;
    if (this.#stopped || settings !== this.#settings) {
      client.close();
      return;
    }
    this.#idle.push(client);
    this.#options.platform.clock.after(IDLE_MS, () => {
      const at = this.#idle.indexOf(client);
      // The one that was used last is used first, so the others come to rest.
      if (at >= 0) this.#idle.splice(at, 1)[0]!.close();
    });
  }
}

function cannotAsk({ message }: Error): MysqlError {
  return otherError(`The source cannot be asked about its tables: ${printable(message, 256)}`);
}

function bytesOf({ columns, rows }: TextResult): number {
  let bytes = 256 + columns.length * 128;
  for (const row of rows) for (const value of row) bytes += 16 + 2 * (value?.length ?? 0);
  return bytes;
}

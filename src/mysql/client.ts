/**
 * A small MySQL client over the platform's sockets, for the syncer's own statements and for
 * embedders: `connect(config, platform)`, then `execute(sql)` in the shape of
 * @planetscale/database. Text protocol only, one statement at a time; further ones wait.
 *
 * Everything is bounded: the login and each statement by a deadline, results by rows and bytes.
 * After a timeout, a broken rule or a lost connection the client is closed for good.
 */
import { MalformedBytes } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import { type Conn, NetError, type TlsClientOptions } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { ClientError } from "./client-error.ts";
import { type LoginResult, logIn } from "./client-handshake.ts";
import { COM_PING, COM_QUIT, encodeQuery, encodeSimpleCommand } from "./commands.ts";
import type { CompressionAlgorithm } from "./compressed-frame.ts";
import { ConnectionLost, PacketConnection } from "./connection.ts";
import { MysqlError } from "./errors.ts";
import { PacketTooLarge } from "./packet.ts";
import { decodeErr } from "./response.ts";
import { ResultSetReader, ResultTooLarge, type TextResult } from "./result-set.ts";
import { typeName } from "./type-names.ts";

export { ClientError } from "./client-error.ts";
export { MysqlError } from "./errors.ts";

export interface ClientTls {
  /** `verify-ca` trusts any name that the CA signed for; `verify-identity` checks the name too. */
  readonly mode: "disabled" | "verify-ca" | "verify-identity";
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name in the certificate, when it is not the host. */
  readonly serverName?: string;
}

export interface ClientConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database?: string;
  /** `verify-identity` when it is left out. */
  readonly tls?: ClientTls;
  /** PEM. Without TLS only: the server's RSA key, for caching_sha2_password. */
  readonly publicKey?: string;
  /** Without TLS only: trust the RSA key that the server sends. */
  readonly fetchPublicKey?: boolean;
  readonly nativePassword?: boolean;
  readonly compression?: CompressionAlgorithm;
  /** Connection attributes, shown by the server's performance_schema. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Connect, TLS and login together. */
  readonly connectTimeoutMs?: number;
  readonly queryTimeoutMs?: number;
  readonly maxRows?: number;
  readonly maxResultBytes?: number;
}

export type ClientPlatform = Pick<Platform, "clock" | "net" | "crypto" | "compress">;

export interface ExecutedQuery {
  readonly headers: readonly string[];
  /** Column name → type. Null prototype, as the rows: names come from outside. */
  readonly types: Readonly<Record<string, string>>;
  /** Of two columns with one name the last one wins; `query` keeps both. */
  readonly rows: readonly Readonly<Record<string, string | null>>[];
  readonly rowsAffected: number;
  readonly insertId: string;
  readonly statement: string;
  /** Rows in the result. */
  readonly size: number;
  /** Milliseconds from sending to the last packet. */
  readonly time: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const QUERY_TIMEOUT_MS = 30_000;
const MAX_COLUMNS = 4096;
const MAX_ROWS = 100_000;
const MAX_RESULT_BYTES = 64 * 1024 * 1024;
const MAX_WAITING = 64;
const LOGIN_MAX_PAYLOAD_BYTES = 65_536;

/** Rejects with ClientError; its `code` tells the kinds of trouble apart. */
export async function connect(
  config: ClientConfig,
  platform: ClientPlatform,
  signal?: AbortSignal,
): Promise<MysqlClient> {
  const timeoutMs = config.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const place = `"${config.host}:${config.port}"`;
  const startedMs = platform.clock.mono();
  signal?.throwIfAborted();
  let conn: Conn;
  try {
    conn = await platform.net.connect({ host: config.host, port: config.port }, timeoutMs);
  } catch (cause) {
    const code = cause instanceof NetError ? cause.code : "no reason given";
    const kind = code === "ETIMEDOUT" ? "timeout" : "unreachable";
    throw new ClientError(kind, `Cannot connect to ${place}: ${code}`, { cause });
  }
  const connection = new PacketConnection(conn, { maxPayloadBytes: LOGIN_MAX_PAYLOAD_BYTES });
  let timedOut = false;
  const leftMs = Math.max(0, timeoutMs - (platform.clock.mono() - startedMs));
  const cancel = platform.clock.after(leftMs, () => {
    timedOut = true;
    connection.destroy();
  });
  const abort = (): void => connection.destroy();
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    const login = await logIn(connection, loginOptions(config), platform);
    connection.maxPayloadBytes = config.maxResultBytes ?? MAX_RESULT_BYTES;
    return new MysqlClient(connection, login, config, platform);
  } catch (error) {
    connection.destroy();
    signal?.throwIfAborted();
    if (timedOut) {
      throw new ClientError("no-login", `No login at ${place} within ${timeoutMs} ms`);
    }
    throw toClientError(error, place, false);
  } finally {
    cancel();
    signal?.removeEventListener("abort", abort);
  }
}

function loginOptions(config: ClientConfig): Parameters<typeof logIn>[1] {
  return {
    user: config.user,
    password: config.password,
    database: config.database ?? "",
    tls: tlsOptions(config),
    publicKey: config.publicKey ?? null,
    fetchPublicKey: config.fetchPublicKey ?? false,
    nativePassword: config.nativePassword ?? false,
    compression: config.compression ?? null,
    attributes: new Map(Object.entries(config.attributes ?? {})),
  };
}

function tlsOptions(config: ClientConfig): TlsClientOptions | null {
  const { mode, ca, cert, key, serverName } = config.tls ?? { mode: "verify-identity" };
  if (mode === "disabled") return null;
  return {
    role: "client",
    serverName: serverName ?? config.host,
    verify: mode === "verify-ca" ? "ca" : "identity",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Server answers stay MysqlError; the rest becomes a ClientError that names its kind. */
function toClientError(error: unknown, place: string, loggedIn: boolean): Error {
  if (error instanceof ClientError || error instanceof MysqlError) return error;
  const reason = error instanceof Error ? printable(error.message) : String(error);
  if (error instanceof PacketTooLarge && loggedIn) {
    return new ClientError("limit", reason, { cause: error });
  }
  if (error instanceof MalformedBytes) {
    return new ClientError("protocol", `Bad packet from ${place}: ${reason}`, { cause: error });
  }
  if (error instanceof ConnectionLost || error instanceof NetError) {
    return new ClientError("unreachable", reason, { cause: error });
  }
  if (error instanceof ResultTooLarge) return new ClientError("limit", reason, { cause: error });
  return error instanceof Error ? error : new Error(reason);
}

export class MysqlClient {
  /** For replication commands, once no statement runs. */
  readonly connection: PacketConnection;
  readonly serverVersion: string;
  readonly capabilities: number;
  readonly connectionId: number;
  readonly compression: CompressionAlgorithm | null;
  readonly #config: ClientConfig;
  readonly #platform: ClientPlatform;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(
    connection: PacketConnection,
    login: LoginResult,
    config: ClientConfig,
    platform: ClientPlatform,
  ) {
    this.connection = connection;
    this.serverVersion = printable(login.serverVersion, 64);
    this.capabilities = login.capabilities;
    this.connectionId = login.connectionId;
    this.compression = login.compression;
    this.#config = config;
    this.#platform = platform;
  }

  /** Rejects with MysqlError when the server answers with an error: the client lives on then. */
  async execute(sql: string): Promise<ExecutedQuery> {
    const startedMs = this.#platform.clock.mono();
    const result = await this.query(sql);
    const headers = result.columns.map((column) => column.name);
    const types: Record<string, string> = Object.create(null);
    for (const column of result.columns) types[column.name] = typeName(column.type);
    const rows = result.rows.map((values) => {
      const row: Record<string, string | null> = Object.create(null);
      for (const [i, header] of headers.entries()) row[header] = values[i]!;
      return row;
    });
    return {
      headers,
      types,
      rows,
      rowsAffected: result.affectedRows,
      insertId: result.insertId.toString(),
      statement: sql,
      size: rows.length,
      time: this.#platform.clock.mono() - startedMs,
    };
  }

  /** The same with rows as arrays. */
  query(sql: string): Promise<TextResult> {
    return this.#enqueue(() => this.#query(sql));
  }

  ping(): Promise<void> {
    return this.command(encodeSimpleCommand(COM_PING));
  }

  /** One that is answered with OK. */
  async command(payload: Uint8Array): Promise<void> {
    await this.#enqueue(() =>
      this.#withDeadline(async () => {
        this.connection.writeCommand(payload);
        const answer = await this.connection.readPacket();
        if (answer[0] === 0xff) throw decodeErr(answer);
      }),
    );
  }

  /** Says goodbye and closes; no statement may follow. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.connection.writeCommand(encodeSimpleCommand(COM_QUIT));
    this.connection.end();
  }

  async #enqueue<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) {
      throw new ClientError(
        "limit",
        `More than ${MAX_WAITING} statements wait for this connection`,
      );
    }
    this.#waiting++;
    const turn = this.#last.then(() => {
      if (this.#closed) throw new ClientError("closed", "Connection is closed: connect again");
      return work();
    });
    // The next one runs whatever becomes of this one; its caller gets the error.
    this.#last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }

  #query(sql: string): Promise<TextResult> {
    return this.#withDeadline(async () => {
      const reader = new ResultSetReader(this.capabilities, {
        maxColumns: MAX_COLUMNS,
        maxRows: this.#config.maxRows ?? MAX_ROWS,
        maxBytes: this.#config.maxResultBytes ?? MAX_RESULT_BYTES,
      });
      this.connection.writeCommand(encodeQuery(sql, this.capabilities));
      for (;;) {
        const result = reader.accept(await this.connection.readPacket());
        if (result !== null) return result;
      }
    });
  }

  async #withDeadline<T>(work: () => Promise<T>): Promise<T> {
    const timeoutMs = this.#config.queryTimeoutMs ?? QUERY_TIMEOUT_MS;
    let timedOut = false;
    const cancel = this.#platform.clock.after(timeoutMs, () => {
      timedOut = true;
      this.connection.destroy();
    });
    try {
      return await work();
    } catch (error) {
      if (error instanceof MysqlError) throw error;
      this.#closed = true;
      this.connection.destroy();
      if (timedOut) throw new ClientError("timeout", `No answer within ${timeoutMs} ms`);
      throw toClientError(error, `"${this.connection.peer}"`, true);
    } finally {
      cancel();
    }
  }
}

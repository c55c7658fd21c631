/**
 * The binlog server: listens for replicas and tools, logs them in, and serves them the stream as
 * if it were the source (manual, "Replication Protocol"; what is answered to whom was
 * measured with real servers and clients).
 *
 *   listener → limits → login (mysql/server-handshake.ts) → session.ts: commands
 *                        statements.ts, select.ts, set.ts, show.ts    → session.ts: dump
 *                        start-position.ts → dump.ts ← cursor.ts, framing.ts
 *
 * Invariants
 * - Replicas get complete, committed transactions only: all that `BinlogStream` shows, nothing else.
 * - 1236, which stops a replica for good, is sent only for what cannot pass.
 * - Whatever a client sends, before or after its login, ends at most its own connection.
 * - Everything is bounded: connections, pending logins, payloads, waiting writes, tables.
 *
 * Not here: certificates and accounts (given in), the stream (cluster), purging.
 */
import { assert } from "../base/assert.ts";
import { BufferPool } from "../base/buffer-pool.ts";
import { type Logger, printable } from "../base/logger.ts";
import type { Service } from "../base/service.ts";
import type { Account } from "../mysql/auth/verifier.ts";
import { PacketConnection } from "../mysql/connection.ts";
import { otherError, tooManyConnections } from "../mysql/errors.ts";
import { encodeErr } from "../mysql/response.ts";
import {
  acceptLogin,
  LOGIN_MAX_PAYLOAD_BYTES,
  LoginFailed,
  type ServerLogin,
} from "../mysql/server-handshake.ts";
import type { SourceValues } from "../mysql/source-values.ts";
import { delay } from "../platform/clock.ts";
import type { Address, Conn, Listener, TlsServerOptions } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { addressKey, hostOf } from "./address-key.ts";
import {
  ClientBudget,
  type ClientLimits,
  type ClientShare,
  clientLimits,
} from "./client-budget.ts";
import { COMMAND_MAX_BYTES } from "./command-input.ts";
import { FileFormats } from "./file-formats.ts";
import { COPY_BYTES } from "./framing.ts";
import {
  DEFAULT_LOGIN_LIMITS,
  LoginGuard,
  type LoginLimits,
  type PendingLogin,
} from "./login-guard.ts";
import { LoginLog, type RefusedKind } from "./login-log.ts";
import { LoopTurns } from "./loop-turns.ts";
import { type DuplicateUuid, ReplicaRegistry } from "./replica-registry.ts";
import { servedVersion } from "./served-version.ts";
import { type ServerNumbers, statisticsText, statusRows } from "./server-numbers.ts";
import { ClientSession } from "./session.ts";
import type { ServerCounters, ServerIdentity, ServerShared } from "./shared.ts";
import type { Missing } from "./start-position.ts";
import type { BinlogStream } from "./stream.ts";
import { StreamSignal } from "./stream-signal.ts";
import type { SourceTables } from "./tables.ts";
import type { VariableContext } from "./variables.ts";
import { WorkRates } from "./work.ts";

const IDLE_TIMEOUT_MS = 8 * 60 * 60 * 1000;
const COMMAND_TIMEOUT_MS = 60_000;
const WRITE_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 2000;
/** 8 MiB kept for copies that will be needed again. */
const SPARE_COPIES = 128;

export interface BinlogServerOptions {
  readonly platform: Platform;
  readonly logger: Logger;
  readonly stream: BinlogStream;
  readonly address: Address;
  readonly identity: ServerIdentity;
  /** Looked up anew at each login; `someNative`: any account may use mysql_native_password. */
  readonly accounts: {
    find(user: string): Account | null;
    readonly someNative: boolean;
  };
  /** Null: no TLS is offered, and 9.x replicas need SOURCE_SSL=0. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly requireTls: boolean;
  readonly rsaKey: { readonly privateKey: string; readonly publicKey: string } | null;
  /** Random, kept over restarts: what unknown accounts look like must not change by one. */
  readonly fakeSecret: Uint8Array;
  /** A replica with a server_id that occurs in the log is let in all the same. */
  readonly allowOriginServerIds: boolean;
  /** What the source says of itself, by the names of its variables. */
  sourceValues(): SourceValues;
  /** server_ids of the events in the log. */
  originServerIds(): ReadonlySet<number>;
  /** True when the cluster, too, lacks what this node lacks (a read index). */
  confirmMissing(what: Missing): Promise<boolean>;
  /** False when the cluster is known to be on a newer timeline than what this node has. */
  isOnTimeline(): Promise<boolean>;
  /** The tables of the source, for an account that may ask about them; null for any other. */
  readonly tables?: (account: string) => SourceTables | null;
  /** Why this node serves no dump now, for the replica's operator; null when it does. */
  readonly refusal?: () => string | null;
  /** The syncer's state for SHOW REPLICA STATUS, by column name; null for no row. */
  readonly replicaStatus?: () => ReadonlyMap<string, string> | null;
  readonly compression?: boolean;
  readonly maxConnections?: number;
  /** Connections and bytes; by default they follow from `maxConnections`. */
  readonly clientLimits?: ClientLimits;
  readonly loginLimits?: LoginLimits;
  readonly loginTimeoutMs?: number;
  readonly firstByteTimeoutMs?: number;
  readonly idleTimeoutMs?: number;
  /** From the first byte of a command to its last. */
  readonly commandTimeoutMs?: number;
  readonly writeTimeoutMs?: number;
}

interface AdmittedLogin {
  readonly login: ServerLogin;
  readonly share: ClientShare;
}

export interface BinlogServerStatus {
  readonly listening: Address | null;
  readonly connections: number;
  readonly pendingLogins: number;
  readonly replicas: number;
  readonly duplicateUuids: readonly DuplicateUuid[];
  /** What clients hold: see client-budget.ts. */
  readonly heldBytes: number;
  readonly draining: boolean;
  readonly counters: Readonly<ServerCounters>;
}

export class BinlogServer implements Service {
  readonly registry: ReplicaRegistry;
  readonly #options: BinlogServerOptions;
  readonly #guard: LoginGuard;
  readonly #budget: ClientBudget;
  readonly #log: LoginLog;
  readonly #shared: ServerShared;
  readonly #sessions = new Map<number, ClientSession>();
  /** Before their login is through. */
  readonly #pending = new Set<PacketConnection>();
  readonly #counters: ServerCounters = {
    connections: 0,
    refusedConnections: 0,
    logins: 0,
    deniedLogins: 0,
    brokenLogins: 0,
    commands: 0,
    dumps: 0,
    bytesSent: 0,
  };
  readonly #startedMs: number;
  #listener: Listener | null = null;
  #lastId = 0;
  #draining = false;
  #onListening: (() => void)[] = [];
  #onIdle: (() => void) | null = null;

  constructor(options: BinlogServerOptions) {
    this.#options = options;
    const { platform, logger, stream } = options;
    this.registry = new ReplicaRegistry(platform, logger, stream);
    this.#guard = new LoginGuard(options.loginLimits ?? DEFAULT_LOGIN_LIMITS, platform.clock);
    this.#budget = new ClientBudget(options.clientLimits ?? clientLimits(this.#maxConnections));
    this.#log = new LoginLog(logger, platform.clock);
    this.#startedMs = platform.clock.mono();
    this.#shared = this.#makeShared();
  }

  get #maxConnections(): number {
    return this.#options.maxConnections ?? MAX_CONNECTIONS;
  }

  /** The address really bound, or null while it does not listen. */
  get address(): Address | null {
    return this.#listener?.address ?? null;
  }

  /** The version in our greeting. It is protocol: it decides whether replicas send tagged GTIDs. */
  version(): string {
    return servedVersion(this.#options.stream.source?.version ?? null);
  }

  status(): BinlogServerStatus {
    return {
      listening: this.address,
      connections: this.#sessions.size,
      pendingLogins: this.#guard.pending,
      replicas: this.registry.size,
      duplicateUuids: this.registry.duplicates(),
      heldBytes: this.#budget.heldBytes,
      draining: this.#draining,
      counters: { ...this.#counters },
    };
  }

  /** Resolves when it listens; for a caller that let the system choose the port. */
  listening(): Promise<Address> {
    return new Promise((resolve) => {
      const tell = (): void => resolve(this.#listener!.address);
      if (this.#listener !== null) tell();
      else this.#onListening.push(tell);
    });
  }

  /** Rejects when it cannot listen. May be run again after it ended. */
  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { platform, address, logger } = this.#options;
    this.#draining = false;
    const listener = await platform.net.listen(address, (conn) => this.#accept(conn));
    this.#listener = listener;
    logger.info("Binlog server listens", { host: address.host, port: listener.address.port });
    for (const tell of this.#onListening.splice(0)) tell();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    this.#draining = true;
    this.#listener = null;
    await listener.close();
    for (const connection of this.#pending) connection.destroy();
    for (const session of this.#sessions.values()) session.destroy();
    await this.#idle();
    this.#log.flush();
  }

  /**
   * For an orderly end: accepts nobody any more, lets each dump get to the end of its transaction
   * and closes it, so that replicas go elsewhere. Resolves when all are gone, or after `graceMs`.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const listener = this.#listener;
    this.#listener = null;
    await listener?.close();
    for (const connection of this.#pending) connection.destroy();
    for (const session of this.#sessions.values()) session.close(graceMs);
    const { clock } = this.#options.platform;
    const given = new AbortController();
    const timeout = delay(clock, graceMs, given.signal);
    await Promise.race([timeout, this.#idle()]);
    given.abort();
    for (const session of this.#sessions.values()) session.destroy();
  }

  #idle(): Promise<void> {
    if (this.#sessions.size === 0 && this.#pending.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const before = this.#onIdle;
      this.#onIdle = () => {
        before?.();
        resolve();
      };
    });
  }

  #checkIdle(): void {
    if (this.#sessions.size > 0 || this.#pending.size > 0) return;
    const tell = this.#onIdle;
    this.#onIdle = null;
    tell?.();
  }

  #accept(conn: Conn): void {
    this.#counters.connections++;
    if (this.#draining) {
      conn.destroy();
      return;
    }
    const connection = new PacketConnection(conn, { maxPayloadBytes: LOGIN_MAX_PAYLOAD_BYTES });
    const host = hostOf(conn.peer);
    const full = this.#sessions.size >= this.#maxConnections;
    const place = full ? null : this.#guard.enter(host, () => connection.destroy());
    if (place === null) {
      this.#counters.refusedConnections++;
      this.#noteLogin("refused", connection, host, "Too many connections or logins at once");
      connection.writePacket(encodeErr(tooManyConnections(), true));
      connection.end();
      return;
    }
    void this.#serve(connection, host, place);
  }

  async #serve(connection: PacketConnection, host: string, place: PendingLogin): Promise<void> {
    this.#pending.add(connection);
    const id = this.#nextId();
    let login: AdmittedLogin | null = null;
    try {
      login = await this.#logIn(connection, id, host, place);
    } finally {
      this.#pending.delete(connection);
      this.#guard.leave(place);
    }
    if (login === null || this.#draining) {
      login?.share.leave();
      connection.end();
      this.#checkIdle();
      return;
    }
    const session = new ClientSession(id, login.login, connection, login.share, this.#shared);
    this.#sessions.set(id, session);
    try {
      await session.run();
    } finally {
      login.share.leave();
      this.#sessions.delete(id);
      this.#checkIdle();
    }
  }

  /** Never rejects; null when there is no login. */
  async #logIn(
    connection: PacketConnection,
    id: number,
    host: string,
    place: PendingLogin,
  ): Promise<AdmittedLogin | null> {
    const { accounts, tls, platform, requireTls, rsaKey, fakeSecret } = this.#options;
    const { loginTimeoutMs, firstByteTimeoutMs } = this.#options;
    let share: ClientShare | null = null;
    try {
      const login = await acceptLogin(
        connection,
        {
          serverVersion: this.version(),
          connectionId: id,
          findAccount: (user) => accounts.find(user),
          firstByte: () => {
            place.stage = "talking";
          },
          beforeCheck: (user) => this.#waitForTurn(host, user, place),
          admit: (account) => {
            share = this.#budget.enter(account.name, addressKey(host));
          },
          someNative: accounts.someNative,
          fakeSecret,
          tls: tls === null ? null : tlsOptions(tls),
          requireTls,
          rsaKey,
          compression: this.#options.compression ?? true,
          maxPayloadBytes: COMMAND_MAX_BYTES,
          ...(loginTimeoutMs === undefined ? {} : { timeoutMs: loginTimeoutMs }),
          ...(firstByteTimeoutMs === undefined ? {} : { firstByteTimeoutMs }),
        },
        platform,
      );
      this.#counters.logins++;
      this.#guard.succeeded(host, login.user);
      assert(share !== null, "a login without a place");
      return { login, share };
    } catch (error) {
      (share as ClientShare | null)?.leave();
      this.#loginFailed(connection, host, error);
      return null;
    }
  }

  #loginFailed(connection: PacketConnection, host: string, error: unknown): void {
    const { logger } = this.#options;
    const message = printable(error instanceof Error ? error.message : String(error));
    const code = error instanceof LoginFailed ? error.code : "bug";
    if (error instanceof LoginFailed && error.code === "denied") {
      this.#counters.deniedLogins++;
      this.#guard.failed(host, error.user);
      const fields = { peer: connection.peer, user: error.user };
      this.#log.note("denied", host, { level: "warn", message: "Login is denied" }, fields);
      return;
    }
    if (code === "refused") {
      this.#counters.refusedConnections++;
      this.#noteLogin("refused", connection, host, message);
      return;
    }
    this.#counters.brokenLogins++;
    const fields = { peer: connection.peer, code, reason: message };
    if (code === "bug") logger.error("Login did not come about", fields);
    else if (code === "lost") logger.debug("Login did not come about", fields);
    else this.#noteLogin("broken", connection, host, `${code}: ${message}`);
    connection.destroy();
  }

  #noteLogin(kind: RefusedKind, connection: PacketConnection, host: string, reason: string): void {
    const line = { level: "info", message: "Login did not come about" } as const;
    this.#log.note(kind, host, line, { peer: connection.peer, reason });
  }

  async #waitForTurn(host: string, user: string, place: PendingLogin): Promise<void> {
    const ms = this.#guard.delayMs(host, printable(user, 64));
    if (ms <= 0) return;
    place.stage = "delayed";
    await delay(this.#options.platform.clock, ms);
    place.stage = "talking";
  }

  /** 32 bits, never 0, never one in use. */
  #nextId(): number {
    do {
      this.#lastId = (this.#lastId + 1) >>> 0;
    } while (this.#lastId === 0 || this.#sessions.has(this.#lastId));
    return this.#lastId;
  }

  #makeShared(): ServerShared {
    const { platform, logger, stream, identity } = this.#options;
    const formats = new FileFormats(stream);
    return {
      platform,
      logger,
      stream,
      signal: new StreamSignal(stream),
      formats,
      identity,
      registry: this.registry,
      counters: this.#counters,
      copies: new BufferPool(COPY_BYTES, SPARE_COPIES),
      turns: new LoopTurns(platform.clock),
      rates: new WorkRates(platform.clock),
      commandTimeoutMs: this.#options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
      idleTimeoutMs: this.#options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      writeTimeoutMs: this.#options.writeTimeoutMs ?? WRITE_TIMEOUT_MS,
      version: () => this.version(),
      variables: () => this.#variables(formats),
      status: (tls) => statusRows(this.#numbers, tls),
      statistics: () => statisticsText(this.#numbers),
      processes: () => [...this.#sessions.values()].map((session) => session.process),
      registered: () =>
        [...this.#sessions.values()].flatMap(({ registered }) =>
          registered === null ? [] : [registered],
        ),
      tables: (account) => this.#options.tables?.(account) ?? null,
      replicaStatus: () => this.#options.replicaStatus?.() ?? null,
      session: (id) => this.#sessions.get(id) ?? null,
      refusal: () => this.#options.refusal?.() ?? null,
      checkServerId: (serverId) => this.#checkServerId(serverId),
      confirmMissing: (what) => this.#options.confirmMissing(what),
      isOnTimeline: () => this.#options.isOnTimeline(),
    };
  }

  async #variables(formats: FileFormats): Promise<VariableContext> {
    const { stream, identity, platform, tls, requireTls } = this.#options;
    const newest = stream.files.at(-1);
    const format = newest === undefined ? null : await formats.of(newest);
    return {
      stream,
      version: this.version(),
      ...identity,
      hostname: platform.process.hostname(),
      port: this.address?.port ?? this.#options.address.port,
      haveTls: tls !== null,
      requireTls,
      maxConnections: this.#maxConnections,
      checksum: format?.description.checksum ?? "CRC32",
      sourceValues: this.#options.sourceValues(),
    };
  }

  get #numbers(): ServerNumbers {
    const startedMs = this.#startedMs;
    return {
      counters: this.#counters,
      connections: this.#sessions.size,
      dumps: this.registry.size,
      uptimeSeconds: Math.floor((this.#options.platform.clock.mono() - startedMs) / 1000),
    };
  }

  #checkServerId(serverId: number): void {
    if (this.#options.allowOriginServerIds || !this.#options.originServerIds().has(serverId))
      return;
    throw otherError(
      `Replica's server_id ${serverId} is the origin of transactions in this log, which it would drop without a word: give the replica another server_id`,
    );
  }
}

function tlsOptions(tls: { readonly cert: string; readonly key: string }): TlsServerOptions {
  return { role: "server", cert: tls.cert, key: tls.key, clientCert: "none" };
}

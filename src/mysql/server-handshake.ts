/**
 * The server's side of the connection phase (manual, "Connection Phase"): `acceptLogin` greets a
 * client and resolves once it is logged in.
 *
 *   greet → [TLS request → TLS] → login → [switch the plugin] → check → OK → [compression]
 *
 * Before the login nothing is trusted: payloads up to 64 KiB, one deadline for all of it, every
 * field checked. An unknown user takes the same steps as a known one with a fake verifier and gets
 * the same error 1045. Who fails gets one error packet where it can be read, then a close.
 *
 * Not here: how many clients may try at once, and how often one address may fail; the listener
 * counts that, from the error's `code`.
 */
import { MalformedBytes } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import type { TlsInfo, TlsServerOptions } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { CACHING_SHA2_PASSWORD } from "./auth/caching-sha2-password.ts";
import { type Account, fakeVerifiers } from "./auth/verifier.ts";
import {
  CLIENT_COMPRESS,
  CLIENT_SSL,
  CLIENT_ZSTD,
  COLLATION_UTF8MB4,
  combineFlags,
  commonFlags,
  SERVER_CAPABILITIES,
  STATUS_AUTOCOMMIT,
} from "./capabilities.ts";
import { agreedCompression, type CompressionAlgorithm } from "./compressed-frame.ts";
import { ConnectionLost, type PacketConnection } from "./connection.ts";
import { accessDenied, badHandshake, MysqlError, tlsRequired } from "./errors.ts";
import { decodeLoginOrTlsRequest, encodeGreeting, type LoginRequest } from "./handshake.ts";
import { encodeErr, encodeOk } from "./response.ts";
import { checkPassword, makeNonce } from "./server-auth.ts";

export const LOGIN_MAX_PAYLOAD_BYTES = 65_536;
export const LOGIN_TIMEOUT_MS = 10_000;
/** From the greeting to the first byte of an answer: some round trips around the world. */
const FIRST_BYTE_TIMEOUT_MS = 2_000;
/** Higher levels cost much time for little; the time is everybody's here. */
const ZSTD_MAX_LEVEL = 9;
const ZSTD_DEFAULT_LEVEL = 3;

export interface ServerLoginOptions<A extends Account = Account> {
  /** It is protocol: a replica sends tagged GTIDs only to 8.3.0 and above. */
  readonly serverVersion: string;
  readonly connectionId: number;
  findAccount(user: string): A | null;
  /** Awaited before a password is checked: who failed before has to wait. Not for longer than the deadline. */
  beforeCheck?(user: string): Promise<void>;
  /** The client has said something. */
  firstByte?(): void;
  /** After the password was right, before the OK. Throws the MysqlError that refuses the connection. */
  admit?(account: A): void;
  /** True when any account has a native verifier; then unknown names seem to have one at times. */
  readonly someNative: boolean;
  /** Random, kept over restarts; see `fakeVerifiers`. */
  readonly fakeSecret: Uint8Array;
  /** Null: no TLS is offered. */
  readonly tls: TlsServerOptions | null;
  readonly requireTls: boolean;
  /** For the full path without TLS; null (recommended): that path is refused. */
  readonly rsaKey: { readonly privateKey: string; readonly publicKey: string } | null;
  /** Offer zlib, and zstd where the platform has it. */
  readonly compression: boolean;
  /** The cap that holds from the login on. */
  readonly maxPayloadBytes: number;
  readonly timeoutMs?: number;
  readonly firstByteTimeoutMs?: number;
}

export interface ServerLogin<A extends Account = Account> {
  readonly user: string;
  readonly account: A;
  /** What both sides have. */
  readonly capabilities: number;
  readonly attributes: ReadonlyMap<string, string>;
  /** The database that the client named; empty for none. Nothing has checked it. */
  readonly database: string;
  readonly tls: TlsInfo | null;
  readonly compression: CompressionAlgorithm | null;
  readonly zstdLevel: number;
  readonly collation: number;
}

export type LoginFailureCode =
  /** Wrong password or unknown user. */
  | "denied"
  /** TLS is required and was not used, or its handshake failed. */
  | "tls"
  /** The login was right, and there is no place for it. */
  | "refused"
  | "malformed"
  | "timeout"
  | "lost";

/** A login that did not succeed; the connection is closed already. */
export class LoginFailed extends Error {
  readonly code: LoginFailureCode;
  /** As the client named it, made printable; empty when it did not get that far. */
  readonly user: string;
  constructor(code: LoginFailureCode, user: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LoginFailed";
    this.code = code;
    this.user = user;
  }
}

export type ServerLoginPlatform = Pick<Platform, "clock" | "random" | "crypto" | "compress">;

/** Resolves after the OK was sent and compression was switched on. Rejects with LoginFailed. */
export async function acceptLogin<A extends Account>(
  connection: PacketConnection,
  options: ServerLoginOptions<A>,
  platform: ServerLoginPlatform,
): Promise<ServerLogin<A>> {
  const timeoutMs = options.timeoutMs ?? LOGIN_TIMEOUT_MS;
  const attempt = new LoginAttempt(connection, options, platform);
  let timedOutMs: number | null = null;
  const deadline = (ms: number): (() => void) =>
    platform.clock.after(ms, () => {
      timedOutMs = ms;
      connection.destroy();
    });
  const cancel = deadline(timeoutMs);
  const firstByteMs = options.firstByteTimeoutMs ?? FIRST_BYTE_TIMEOUT_MS;
  const cancelFirst = firstByteMs < timeoutMs ? deadline(firstByteMs) : () => {};
  try {
    connection.maxPayloadBytes = LOGIN_MAX_PAYLOAD_BYTES;
    connection.inputGuard = {
      partArrived: () => {
        connection.inputGuard = null;
        cancelFirst();
        options.firstByte?.();
      },
    };
    const login = await attempt.run();
    connection.maxPayloadBytes = options.maxPayloadBytes;
    return login;
  } catch (error) {
    if (timedOutMs !== null) {
      throw new LoginFailed("timeout", attempt.user, `No login within ${timedOutMs} ms`);
    }
    throw attempt.failed(error);
  } finally {
    cancel();
    cancelFirst();
    connection.inputGuard = null;
  }
}

class LoginAttempt<A extends Account> {
  user = "";
  readonly #connection: PacketConnection;
  readonly #options: ServerLoginOptions<A>;
  readonly #platform: ServerLoginPlatform;
  readonly #offered: number;
  readonly #nonce: Uint8Array;

  constructor(
    connection: PacketConnection,
    options: ServerLoginOptions<A>,
    platform: ServerLoginPlatform,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#platform = platform;
    this.#nonce = makeNonce(platform.random);
    const zstd = options.compression && platform.compress.zstd !== null;
    this.#offered = combineFlags(
      SERVER_CAPABILITIES,
      options.tls === null ? 0 : CLIENT_SSL,
      options.compression ? CLIENT_COMPRESS : 0,
      zstd ? CLIENT_ZSTD : 0,
    );
  }

  async run(): Promise<ServerLogin<A>> {
    this.#greet();
    const request = await this.#readLogin();
    this.user = printable(request.user, 64);
    const { fakeSecret, someNative, rsaKey, requireTls } = this.#options;
    if (requireTls && this.#connection.tls === null) this.#refuse("tls", tlsRequired());
    await this.#options.beforeCheck?.(request.user);
    const account = this.#options.findAccount(request.user);
    const { crypto } = this.#platform;
    const fake = fakeVerifiers(crypto, fakeSecret, request.user, someNative);
    const verifiers = account === null ? fake : account.verifiers;
    const exchange = { connection: this.#connection, crypto, nonce: this.#nonce, rsaKey };
    const checked = await checkPassword(exchange, request, verifiers);
    if (!checked.ok || account === null) {
      const error = accessDenied(this.user, this.#host(), checked.usedPassword);
      return this.#refuse("denied", error);
    }
    this.#admit(account);
    this.#connection.writePackets([...checked.before, encodeOk()]);
    return this.#loggedIn(request, account);
  }

  #admit(account: A): void {
    try {
      this.#options.admit?.(account);
    } catch (error) {
      if (error instanceof MysqlError) this.#refuse("refused", error);
      throw error;
    }
  }

  #greet(): void {
    this.#connection.resetSequence();
    this.#connection.writePacket(
      encodeGreeting({
        serverVersion: this.#options.serverVersion,
        connectionId: this.#options.connectionId,
        nonce: this.#nonce,
        capabilities: this.#offered,
        collation: COLLATION_UTF8MB4,
        status: STATUS_AUTOCOMMIT,
        authPlugin: CACHING_SHA2_PASSWORD,
      }),
    );
  }

  async #readLogin(): Promise<LoginRequest> {
    const first = decodeLoginOrTlsRequest(await this.#connection.readPacket());
    if (first.kind === "login") return first;
    const { tls } = this.#options;
    if (tls === null) throw new MalformedBytes("a TLS request where no TLS is offered", 0);
    try {
      await this.#connection.startTls(tls);
    } catch (cause) {
      if (cause instanceof MalformedBytes) throw cause;
      this.#connection.destroy();
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new LoginFailed("tls", "", `TLS handshake failed: ${printable(reason)}`, { cause });
    }
    const second = decodeLoginOrTlsRequest(await this.#connection.readPacket());
    if (second.kind === "login") return second;
    throw new MalformedBytes("a second TLS request", 0);
  }

  #loggedIn(request: LoginRequest, account: A): ServerLogin<A> {
    const capabilities = commonFlags(request.capabilities, this.#offered);
    const compression = agreedCompression(capabilities);
    const level = request.zstdLevel === 0 ? ZSTD_DEFAULT_LEVEL : request.zstdLevel;
    const zstdLevel = Math.min(level, ZSTD_MAX_LEVEL);
    if (compression !== null) {
      this.#connection.startCompression(this.#platform.compress, compression, zstdLevel);
    }
    return {
      user: request.user,
      account,
      capabilities,
      attributes: request.attributes,
      database: request.database,
      tls: this.#connection.tls,
      compression,
      zstdLevel,
      collation: request.collation,
    };
  }

  #refuse(code: LoginFailureCode, error: MysqlError): never {
    this.#connection.writePacket(encodeErr(error));
    this.#connection.end();
    throw new LoginFailed(code, this.user, error.message, { cause: error });
  }

  /** Turns whatever went wrong into LoginFailed, and closes. */
  failed(error: unknown): Error {
    if (error instanceof LoginFailed) return error;
    if (error instanceof MalformedBytes) {
      this.#connection.writePacket(encodeErr(badHandshake()));
      this.#connection.end();
      return new LoginFailed("malformed", this.user, error.message, { cause: error });
    }
    this.#connection.destroy();
    if (error instanceof ConnectionLost) {
      return new LoginFailed("lost", this.user, error.message, { cause: error });
    }
    return error instanceof Error ? error : new Error(String(error));
  }

  /** The client's address without its port, as accounts and errors show it. */
  #host(): string {
    const { peer } = this.#connection;
    const colon = peer.lastIndexOf(":");
    return printable(colon < 0 ? peer : peer.slice(0, colon).replace(/^\[|\]$/g, ""), 64);
  }
}

/**
 * The client's side of the connection phase (manual, "Connection Phase"): greeting, TLS, login,
 * authentication, compression.
 *
 * What it never does: connect without TLS when TLS was asked for (a server that lacks it learns
 * not even the user name); send a password in clear outside TLS; take a public key from the server
 * unless that is allowed; answer mysql_clear_password, mysql_old_password, or without leave
 * mysql_native_password; set LOCAL_FILES.
 */
import { assert } from "../base/assert.ts";
import { decodeText } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import type { Compress } from "../platform/compress.ts";
import type { Crypto } from "../platform/crypto.ts";
import type { TlsClientOptions } from "../platform/net.ts";
import {
  CACHING_SHA2_PASSWORD,
  clearPassword,
  encryptPassword,
  SHA2_FAST_OK,
  SHA2_FULL_AUTHENTICATION,
  SHA2_REQUEST_PUBLIC_KEY,
  sha2Response,
} from "./auth/caching-sha2-password.ts";
import { NATIVE_PASSWORD, nativeResponse } from "./auth/native-password.ts";
import {
  CLIENT_COMPRESS,
  CLIENT_CONNECT_WITH_DB,
  CLIENT_PROTOCOL_41,
  CLIENT_SECURE_CONNECTION,
  CLIENT_SSL,
  CLIENT_ZSTD,
  COLLATION_UTF8MB4_OLD,
  combineFlags,
  commonFlags,
  hasFlag,
  OUR_CLIENT_CAPABILITIES,
} from "./capabilities.ts";
import { ClientError } from "./client-error.ts";
import { agreedCompression, type CompressionAlgorithm } from "./compressed-frame.ts";
import type { PacketConnection } from "./connection.ts";
import type { MysqlError } from "./errors.ts";
import {
  decodeAuthSwitch,
  decodeGreeting,
  encodeLogin,
  encodeTlsRequest,
  type Greeting,
  NONCE_BYTES,
} from "./handshake.ts";
import { decodeErr } from "./response.ts";

/** Packets of one login after our first; a real one takes at most five. */
const MAX_STEPS = 10;
const MAX_PUBLIC_KEY_BYTES = 16_384;
const OUR_MAX_PACKET_BYTES = 0x4000_0000;
const ZSTD_LEVEL = 3;

export interface LoginOptions {
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Null: without TLS. */
  readonly tls: TlsClientOptions | null;
  /** The server's RSA key, for caching_sha2_password without TLS. */
  readonly publicKey: string | null;
  /** Take the RSA key that the server sends; open to a man in the middle. */
  readonly fetchPublicKey: boolean;
  readonly nativePassword: boolean;
  readonly compression: CompressionAlgorithm | null;
  readonly attributes: ReadonlyMap<string, string>;
}

export interface LoginResult {
  readonly serverVersion: string;
  readonly connectionId: number;
  /** What both sides have. */
  readonly capabilities: number;
  readonly compression: CompressionAlgorithm | null;
}

interface LoginPlatform {
  readonly crypto: Crypto;
  readonly compress: Compress;
}

/** Logs in; the connection is left open when it fails, for the caller to destroy. */
export async function logIn(
  connection: PacketConnection,
  options: LoginOptions,
  platform: LoginPlatform,
): Promise<LoginResult> {
  const greeting = await readGreeting(connection);
  const wanted = combineFlags(
    OUR_CLIENT_CAPABILITIES,
    options.database === "" ? 0 : CLIENT_CONNECT_WITH_DB,
    options.tls === null ? 0 : CLIENT_SSL,
    options.compression === "zlib" ? CLIENT_COMPRESS : 0,
    options.compression === "zstd" && platform.compress.zstd !== null ? CLIENT_ZSTD : 0,
  );
  const capabilities = commonFlags(wanted, greeting.capabilities);
  const header = {
    capabilities,
    maxPacketBytes: OUR_MAX_PACKET_BYTES,
    collation: COLLATION_UTF8MB4_OLD,
  };
  if (options.tls !== null) {
    if (!hasFlag(capabilities, CLIENT_SSL)) {
      throw new ClientError(
        "tls",
        'Server offers no TLS: turn it on there, or set the TLS mode to "disabled"',
      );
    }
    connection.writePacket(encodeTlsRequest(header));
    await startTls(connection, options.tls);
  }
  const exchange = new AuthExchange(connection, options, platform.crypto, greeting.nonce);
  const first = exchange.firstResponse(greeting);
  connection.writePacket(
    encodeLogin({
      ...header,
      user: options.user,
      authData: first.response,
      database: options.database,
      authPlugin: first.plugin,
      attributes: options.attributes,
      zstdLevel: ZSTD_LEVEL,
    }),
  );
  await exchange.finish();
  const compression = agreedCompression(capabilities);
  if (compression !== null) {
    connection.startCompression(platform.compress, compression, ZSTD_LEVEL);
  }
  const { serverVersion, connectionId } = greeting;
  return { serverVersion, connectionId, capabilities, compression };
}

async function readGreeting(connection: PacketConnection): Promise<Greeting> {
  const payload = await connection.readPacket();
  if (payload[0] === 0xff) throw refusal(decodeErr(payload));
  const greeting = decodeGreeting(payload);
  const needed = combineFlags(CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION);
  if (commonFlags(greeting.capabilities, needed) !== needed) {
    throw new ClientError("protocol", "Server is too old: MySQL 5.6 is the oldest that works");
  }
  return greeting;
}

async function startTls(connection: PacketConnection, options: TlsClientOptions): Promise<void> {
  try {
    await connection.startTls(options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ClientError("tls", `TLS with the server failed: ${printable(reason)}`, { cause });
  }
}

/** Errors of the server: access refused, or anything else such as too many connections. */
function refusal(error: MysqlError): ClientError {
  const auth = [1044, 1045, 1698, 1862, 3118, 3159, 3955].includes(error.errno);
  const message = `Server refuses the login: ${error.errno} "${error.message}"`;
  return new ClientError(auth ? "auth" : "server", message, { cause: error });
}

class AuthExchange {
  readonly #connection: PacketConnection;
  readonly #options: LoginOptions;
  readonly #crypto: Crypto;
  #nonce: Uint8Array;
  #plugin = "";
  #switched = false;
  #keyRequested = false;
  #passwordSent = false;

  constructor(
    connection: PacketConnection,
    options: LoginOptions,
    crypto: Crypto,
    nonce: Uint8Array,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#crypto = crypto;
    this.#nonce = nonce;
  }

  /** The server's plugin where we have it; else ours, and the server may ask to switch. */
  firstResponse(greeting: Greeting): { plugin: string; response: Uint8Array } {
    const native = greeting.authPlugin === NATIVE_PASSWORD || greeting.authPlugin === "";
    this.#plugin = native && this.#options.nativePassword ? NATIVE_PASSWORD : CACHING_SHA2_PASSWORD;
    return { plugin: this.#plugin, response: this.#response() };
  }

  #response(): Uint8Array {
    const { password } = this.#options;
    if (this.#plugin === NATIVE_PASSWORD)
      return nativeResponse(this.#crypto, password, this.#nonce);
    return sha2Response(this.#crypto, password, this.#nonce);
  }

  async finish(): Promise<void> {
    for (let step = 0; step < MAX_STEPS; step++) {
      const payload = await this.#connection.readPacket();
      switch (payload[0]) {
        case 0x00:
          return;
        case 0xff:
          throw refusal(decodeErr(payload));
        case 0xfe:
          this.#switch(payload);
          break;
        case 0x01:
          this.#moreData(payload.subarray(1));
          break;
        default:
          throw new ClientError("protocol", "Server sends an unknown packet during the login");
      }
    }
    throw new ClientError("protocol", `Server goes on with the login after ${MAX_STEPS} packets`);
  }

  #switch(payload: Uint8Array): void {
    const { plugin, nonce } = decodeAuthSwitch(payload);
    if (this.#switched) throw new ClientError("protocol", "Server asks twice to switch the plugin");
    this.#switched = true;
    if (plugin === NATIVE_PASSWORD && !this.#options.nativePassword) {
      throw new ClientError(
        "auth",
        `Server wants "${NATIVE_PASSWORD}" for user "${printable(this.#options.user)}", which is off: give the user caching_sha2_password, or set native_password = true`,
      );
    }
    if (plugin !== NATIVE_PASSWORD && plugin !== CACHING_SHA2_PASSWORD) {
      const name = plugin === "" ? "mysql_old_password" : printable(plugin, 64);
      throw new ClientError(
        "auth",
        `Server wants plugin "${name}", which is never used here: give the user caching_sha2_password, and check the user name (a server names any plugin for a user it does not have)`,
      );
    }
    if (nonce.length !== NONCE_BYTES) {
      throw new ClientError("protocol", `Server sends a nonce of ${nonce.length} bytes, not 20`);
    }
    this.#plugin = plugin;
    this.#nonce = nonce;
    this.#connection.writePacket(this.#response());
  }

  #moreData(data: Uint8Array): void {
    if (this.#plugin !== CACHING_SHA2_PASSWORD) {
      throw new ClientError("protocol", `Server sends more data to "${this.#plugin}"`);
    }
    if (this.#keyRequested) {
      this.#keyRequested = false;
      this.#sendEncrypted(this.#readPublicKey(data));
      return;
    }
    if (data.length === 1 && data[0] === SHA2_FAST_OK) return;
    if (data.length !== 1 || data[0] !== SHA2_FULL_AUTHENTICATION || this.#passwordSent) {
      throw new ClientError("protocol", `Server breaks the rules of "${CACHING_SHA2_PASSWORD}"`);
    }
    this.#fullAuthentication();
  }

  #fullAuthentication(): void {
    this.#passwordSent = true;
    const { tls, publicKey, fetchPublicKey, password } = this.#options;
    if (tls !== null) {
      assert(this.#connection.tls !== null, "the password is sent in clear inside TLS only");
      this.#connection.writePacket(clearPassword(password));
    } else if (publicKey !== null) {
      this.#sendEncrypted(publicKey);
    } else if (fetchPublicKey) {
      this.#keyRequested = true;
      this.#connection.writePacket(Uint8Array.of(SHA2_REQUEST_PUBLIC_KEY));
    } else {
      throw new ClientError(
        "auth",
        'Server wants the whole password and there is no TLS: set the TLS mode to "verify-identity" or "verify-ca", or pin the server\'s RSA key (public_key_file)',
      );
    }
  }

  #readPublicKey(data: Uint8Array): string {
    const pem = decodeText(data.subarray(0, MAX_PUBLIC_KEY_BYTES)).trim();
    if (data.length > MAX_PUBLIC_KEY_BYTES || !pem.startsWith("-----BEGIN PUBLIC KEY-----")) {
      throw new ClientError("protocol", "Server sends something else than its public key");
    }
    return pem;
  }

  #sendEncrypted(publicKey: string): void {
    let encrypted: Uint8Array;
    try {
      const { password } = this.#options;
      encrypted = encryptPassword(this.#crypto, password, this.#nonce, publicKey);
    } catch (cause) {
      throw new ClientError(
        "auth",
        "Password cannot be encrypted with the RSA key: check the key",
        {
          cause,
        },
      );
    }
    this.#connection.writePacket(encrypted);
  }
}

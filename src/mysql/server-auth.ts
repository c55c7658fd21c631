/**
 * The server's check of a password: which plugin, an auth switch where the client began with
 * another one, the fast and the full path of caching_sha2_password. The caller sends the OK or
 * the error, so that both look the same for known and unknown users.
 */
import { assert } from "../base/assert.ts";
import { encodeText } from "../base/bytes.ts";
import type { Crypto } from "../platform/crypto.ts";
import type { Random } from "../platform/platform.ts";
import {
  CACHING_SHA2_PASSWORD,
  decryptPassword,
  SHA2_FAST_OK,
  SHA2_FULL_AUTHENTICATION,
  SHA2_REQUEST_PUBLIC_KEY,
  verifySha2,
  verifySha2Clear,
} from "./auth/caching-sha2-password.ts";
import { NATIVE_PASSWORD, verifyNative } from "./auth/native-password.ts";
import type { AccountVerifiers } from "./auth/verifier.ts";
import type { PacketConnection } from "./connection.ts";
import { encodeAuthSwitch, encodeMoreData, type LoginRequest, NONCE_BYTES } from "./handshake.ts";

/** Of an answer by mysql_native_password. */
const NATIVE_BYTES = 20;

export interface AuthExchange {
  readonly connection: PacketConnection;
  readonly crypto: Crypto;
  readonly nonce: Uint8Array;
  readonly rsaKey: { readonly privateKey: string; readonly publicKey: string } | null;
}

export interface PasswordCheck {
  readonly ok: boolean;
  /** For the words of error 1045. */
  readonly usedPassword: boolean;
  /** Packets that go out together with the OK. */
  readonly before: readonly Uint8Array[];
}

/** 20 random 7-bit bytes without NUL and "$": old clients take them for text. */
export function makeNonce(random: Random): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  let length = 0;
  for (let round = 0; round < 100 && length < NONCE_BYTES; round++) {
    for (const byte of random.bytes(2 * NONCE_BYTES)) {
      const value = byte & 0x7f;
      if (value !== 0 && value !== 0x24 && length < NONCE_BYTES) nonce[length++] = value;
    }
  }
  assert(length === NONCE_BYTES, "the random source gives no usable bytes");
  return nonce;
}

export async function checkPassword(
  exchange: AuthExchange,
  request: LoginRequest,
  verifiers: AccountVerifiers,
): Promise<PasswordCheck> {
  const { connection, crypto, nonce } = exchange;
  // Who names no plugin and answers with 20 bytes knows nothing newer.
  const isOld = request.authPlugin === "" && request.authData.length === NATIVE_BYTES;
  if ((request.authPlugin === NATIVE_PASSWORD || isOld) && verifiers.native !== null) {
    // MariaDB names the plugin but leaves the response out when our greeting named another one.
    const response =
      request.authData.length > 0
        ? request.authData
        : await switchPlugin(connection, NATIVE_PASSWORD, nonce);
    const ok = verifyNative(crypto, verifiers.native, nonce, response);
    return { ok, usedPassword: response.length > 0, before: [] };
  }
  const response =
    request.authPlugin === CACHING_SHA2_PASSWORD
      ? request.authData
      : await switchPlugin(connection, CACHING_SHA2_PASSWORD, nonce);
  // An empty password is an empty response, or one NUL after a switch; no account has one.
  if (response.length <= 1) return { ok: false, usedPassword: false, before: [] };
  if (verifySha2(crypto, verifiers.sha2, nonce, response)) {
    const before = [encodeMoreData(Uint8Array.of(SHA2_FAST_OK))];
    return { ok: true, usedPassword: true, before };
  }
  const ok = await fullAuthentication(exchange, verifiers.sha2);
  return { ok, usedPassword: true, before: [] };
}

async function switchPlugin(
  connection: PacketConnection,
  plugin: string,
  nonce: Uint8Array,
): Promise<Uint8Array> {
  connection.writePacket(encodeAuthSwitch(plugin, nonce));
  return connection.readPacket();
}

/** Only where the password can come in safely; else the fast path's answer stands. */
async function fullAuthentication(exchange: AuthExchange, verifier: Uint8Array): Promise<boolean> {
  const { connection, crypto, nonce, rsaKey } = exchange;
  if (connection.tls === null && rsaKey === null) return false;
  connection.writePacket(encodeMoreData(Uint8Array.of(SHA2_FULL_AUTHENTICATION)));
  let answer = await connection.readPacket();
  if (connection.tls !== null) return verifySha2Clear(crypto, verifier, answer);
  if (rsaKey === null) return false;
  if (answer.length === 1 && answer[0] === SHA2_REQUEST_PUBLIC_KEY) {
    connection.writePacket(encodeMoreData(encodeText(rsaKey.publicKey)));
    answer = await connection.readPacket();
  }
  const clear = decryptPassword(crypto, answer, nonce, rsaKey.privateKey);
  return clear !== null && verifySha2Clear(crypto, verifier, clear);
}

/**
 * mysql_native_password (manual, "Native Pluggable Authentication"): for MySQL 5.6 and MariaDB.
 *
 *   verifier  = SHA1(SHA1(password))
 *   response  = SHA1(password) XOR SHA1(nonce ‖ verifier)
 *
 * Off by default everywhere: SHA-1 without salt, and who sees one login and the verifier can log
 * in. The server never sends the password itself.
 */

import { encodeText } from "../../base/bytes.ts";
import type { Crypto } from "../../platform/crypto.ts";
import { xorBytes } from "./xor.ts";

export const NATIVE_PASSWORD = "mysql_native_password";
export const NATIVE_HASH_BYTES = 20;

export function nativeVerifier(crypto: Crypto, password: string): Uint8Array {
  return crypto.sha1(crypto.sha1(encodeText(password)));
}

/** What the client sends; empty for an empty password. */
export function nativeResponse(crypto: Crypto, password: string, nonce: Uint8Array): Uint8Array {
  if (password === "") return new Uint8Array(0);
  const hash = crypto.sha1(encodeText(password));
  return xorBytes(hash, crypto.sha1(nonce, crypto.sha1(hash)));
}

/** Constant time. A response of any other length is wrong, never an error. */
export function verifyNative(
  crypto: Crypto,
  verifier: Uint8Array,
  nonce: Uint8Array,
  response: Uint8Array,
): boolean {
  if (response.length !== NATIVE_HASH_BYTES) return false;
  const hash = xorBytes(response, crypto.sha1(nonce, verifier));
  return crypto.timingSafeEqual(crypto.sha1(hash), verifier);
}

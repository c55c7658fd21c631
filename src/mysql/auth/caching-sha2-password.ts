/**
 * caching_sha2_password (manual, "Caching SHA-2 Pluggable Authentication").
 *
 *   verifier  = SHA256(SHA256(password))
 *   response  = SHA256(password) XOR SHA256(verifier ‖ nonce)
 *
 * A server that has the verifier answers the fast path: `01 03`, OK. Else `01 04` asks for the
 * password: in clear with a NUL inside TLS, or encrypted with the server's RSA key, after XOR with
 * the nonce (so that the key's owner alone can read it, and only for this nonce). binraft stores
 * the verifier, so a right password always takes the fast path, on plain TCP too.
 */
import { encodeText } from "../../base/bytes.ts";
import type { Crypto } from "../../platform/crypto.ts";
import { xorBytes } from "./xor.ts";

export const CACHING_SHA2_PASSWORD = "caching_sha2_password";
export const SHA2_HASH_BYTES = 32;

export const SHA2_REQUEST_PUBLIC_KEY = 0x02;
export const SHA2_FAST_OK = 0x03;
export const SHA2_FULL_AUTHENTICATION = 0x04;

export function sha2Verifier(crypto: Crypto, password: string): Uint8Array {
  return crypto.sha256(crypto.sha256(encodeText(password)));
}

/** What the client sends; empty for an empty password. */
export function sha2Response(crypto: Crypto, password: string, nonce: Uint8Array): Uint8Array {
  if (password === "") return new Uint8Array(0);
  const hash = crypto.sha256(encodeText(password));
  return xorBytes(hash, crypto.sha256(crypto.sha256(hash), nonce));
}

/** Constant time. A response of any other length is wrong, never an error. */
export function verifySha2(
  crypto: Crypto,
  verifier: Uint8Array,
  nonce: Uint8Array,
  response: Uint8Array,
): boolean {
  if (response.length !== SHA2_HASH_BYTES) return false;
  const hash = xorBytes(response, crypto.sha256(verifier, nonce));
  return crypto.timingSafeEqual(crypto.sha256(hash), verifier);
}

/** The password as the full path carries it: with a NUL at the end. */
export function clearPassword(password: string): Uint8Array {
  return encodeText(`${password}\0`);
}

/** `clear` is the password with its NUL. */
export function verifySha2Clear(crypto: Crypto, verifier: Uint8Array, clear: Uint8Array): boolean {
  const end = clear.length - 1;
  if (end < 1 || clear[end] !== 0) return false;
  const hash = crypto.sha256(crypto.sha256(clear.subarray(0, end)));
  return crypto.timingSafeEqual(hash, verifier);
}

export function encryptPassword(
  crypto: Crypto,
  password: string,
  nonce: Uint8Array,
  publicKeyPem: string,
): Uint8Array {
  return crypto.rsaOaepEncrypt(publicKeyPem, xorBytes(clearPassword(password), nonce));
}

/** The password with its NUL, or null when the bytes are not for this key. */
export function decryptPassword(
  crypto: Crypto,
  ciphertext: Uint8Array,
  nonce: Uint8Array,
  privateKeyPem: string,
): Uint8Array | null {
  try {
    return xorBytes(crypto.rsaOaepDecrypt(privateKeyPem, ciphertext), nonce);
  } catch {
    return null;
  }
}

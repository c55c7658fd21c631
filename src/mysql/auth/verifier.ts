/**
 * What the binlog server keeps of an account's password, and what it uses for a user that does
 * not exist: a verifier that nothing matches, so that both take the same steps and the same time
 * and nobody can ask which users there are.
 *
 * A verifier lets its owner check a password, and with one observed login also log in: it is kept
 * like a password.
 */
import { encodeText } from "../../base/bytes.ts";
import type { Crypto } from "../../platform/crypto.ts";
import { sha2Verifier } from "./caching-sha2-password.ts";
import { nativeVerifier } from "./native-password.ts";

export interface AccountVerifiers {
  /** SHA256(SHA256(password)), 32 bytes. */
  readonly sha2: Uint8Array;
  /** SHA1(SHA1(password)), 20 bytes; null unless the account may use mysql_native_password. */
  readonly native: Uint8Array | null;
}

export interface Account {
  readonly name: string;
  readonly verifiers: AccountVerifiers;
}

/** Throws on an empty password: an account without one could not be told from an empty answer. */
export function createVerifiers(
  crypto: Crypto,
  password: string,
  options: { readonly native: boolean },
): AccountVerifiers {
  if (password === "") throw new Error("Empty password: set one for this account");
  if (password.includes("\0")) throw new Error("Password with a NUL byte: choose another one");
  return {
    sha2: sha2Verifier(crypto, password),
    native: options.native ? nativeVerifier(crypto, password) : null,
  };
}

/**
 * For a user that does not exist. `secret` is random and kept over restarts: the same name always
 * gets the same plugin, as a real account would. `someNative` is true when any real account has a
 * native verifier; half of the unknown names then seem to have one too.
 */
export function fakeVerifiers(
  crypto: Crypto,
  secret: Uint8Array,
  user: string,
  someNative: boolean,
): AccountVerifiers {
  const seed = crypto.sha256(secret, encodeText(user));
  const native = someNative && (seed[0]! & 1) === 1;
  return { sha2: crypto.sha256(seed), native: native ? crypto.sha1(seed) : null };
}

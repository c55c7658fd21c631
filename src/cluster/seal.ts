/**
 * A secret that travels and rests in the log: sealed by the node that an operator gave it to, opened by each node
 * when it is used. AES-256-GCM under a key that all nodes of the cluster have and the log has not; bound to the
 * cluster and to the server that it is for, so that it cannot be turned against another one.
 *
 *   sealed:HEX(nonce of 12 bytes · ciphertext · tag of 16 bytes)
 */
import { concatBytes, decodeText, encodeText, fromHex, toHex } from "../base/bytes.ts";
import type { Crypto } from "../platform/crypto.ts";
import type { Random } from "../platform/platform.ts";
import { OperationError } from "./operations.ts";

/** Of 32 bytes each. The first one seals, all open: so the cluster secret can be changed node by node. */
export type SealKeys = () => Promise<readonly Uint8Array[]>;

const PREFIX = "sealed:";
const NONCE_BYTES = 12;
const KEY_LABEL = "binraft: seals secrets in the log";

export class Seal {
  readonly #crypto: Crypto;
  readonly #random: Random;
  readonly #keys: SealKeys;
  readonly #clusterId: string;

  constructor(crypto: Crypto, random: Random, keys: SealKeys, clusterId: string) {
    this.#crypto = crypto;
    this.#random = random;
    this.#keys = keys;
    this.#clusterId = clusterId;
  }

  /** For this use (of the name of a setting) at this host. Rejects with OperationError. */
  async seal(secret: string, use: string, host: string): Promise<string> {
    const [key] = await this.#keys();
    if (key === undefined) {
      throw new OperationError(
        "conflict",
        "The nodes have no secret in common by which to seal this one: only certificates prove who is of the cluster",
        "set cluster.secret_file on each node, or put the secret into a file on each node and name that with " +
          "--password-ref",
      );
    }
    const nonce = this.#random.bytes(NONCE_BYTES);
    const sealed = this.#crypto.seal(key, nonce, encodeText(secret), this.#bound(use, host));
    return PREFIX + toHex(concatBytes([nonce, sealed]));
  }

  /** Rejects with OperationError where no key of this node opens it. */
  async open(text: string, use: string, host: string): Promise<string> {
    const hex = text.slice(PREFIX.length);
    const bytes = /^([0-9a-f]{2})*$/.test(hex) ? fromHex(hex) : new Uint8Array();
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const bound = this.#bound(use, host);
    for (const key of await this.#keys()) {
      const secret = this.#crypto.unseal(key, nonce, bytes.subarray(NONCE_BYTES), bound);
      if (secret !== null) return decodeText(secret);
    }
    throw new OperationError(
      "conflict",
      `The ${use} in the log was sealed with a cluster secret that this node does not have, or for another server`,
      "binraft syncer set --password-file FILE",
    );
  }

  #bound(use: string, host: string): Uint8Array {
    return encodeText(`${this.#clusterId}\0${use}\0${host}`);
  }
}

export function isSealed(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** From what the nodes prove themselves with to a key that does only this. */
export function sealKey(crypto: Pick<Crypto, "hmacSha256">, secret: string): Uint8Array {
  return crypto.hmacSha256(encodeText(secret), encodeText(KEY_LABEL));
}

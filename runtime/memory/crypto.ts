/**
 * Hashes and RSA as on Node, synchronous; certificates are toys that only the simulated TLS
 * understands. RSA keys are real and thus not a function of the seed: nothing may depend on
 * their bytes. One key pair serves all, since making one takes longer than a whole simulation.
 */
import { generateKeyPairSync } from "node:crypto";
import type { Crypto } from "../../src/platform/crypto.ts";
import { nodeCrypto } from "../node/crypto.ts";
import {
  fingerprint256,
  readCertificates,
  readKeyId,
  type ToyCertificate,
  toyCertificate,
} from "./certificate.ts";
import type { SeededRandom } from "./random.ts";

let rsaKey: { privateKey: string; publicKey: string } | null = null;

export function memoryCrypto(random: SeededRandom): Crypto {
  return {
    ...nodeCrypto,
    certificateFingerprint256: (pem) => fingerprint256(firstCertificate(pem)),
    keyFits(certPem, keyPem) {
      const keyId = readKeyId(keyPem);
      if (keyId === null) throw new Error("No key in the PEM");
      return firstCertificate(certPem).keyId === keyId;
    },
    async generateRsaKey() {
      rsaKey ??= generateKeyPairSync("rsa", {
        modulusLength: 2048,
        publicKeyEncoding: { type: "spki", format: "pem" },
        privateKeyEncoding: { type: "pkcs8", format: "pem" },
      });
      return rsaKey;
    },
    async selfSignedCertificate(options) {
      return toyCertificate(options, `${random.u32()}-${random.u32()}`);
    },
  };
}

function firstCertificate(pem: string): ToyCertificate {
  const first = readCertificates(pem)[0];
  if (first === undefined) throw new Error("No certificate in the PEM");
  return first;
}

/**
 * Hashes, checksums, RSA and certificates by node:crypto and node:zlib, the same on Node, Bun
 * and Deno. The certificate library is loaded at its first use: most nodes never need it.
 */
import * as crypto from "node:crypto";
import { isIP } from "node:net";
import { promisify } from "node:util";
import { crc32 as zlibCrc32 } from "node:zlib";
import { crc32 as tableCrc32 } from "../../src/base/crc32.ts";
import type { Crypto } from "../../src/platform/crypto.ts";

/** Below this, a call into native code costs more than the table (measured on Node). */
const TABLE_CRC_BYTES = 200;
const SERIAL_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const generateKeyPair = promisify(crypto.generateKeyPair);

export const nodeCrypto: Crypto = {
  sha1: (...parts) => digest("sha1", parts),
  sha256: (...parts) => digest("sha256", parts),
  hmacSha256(key, ...parts) {
    const hmac = crypto.createHmac("sha256", key);
    for (const part of parts) hmac.update(part);
    return plain(hmac.digest());
  },
  seal(key, nonce, text, bound) {
    const cipher = crypto.createCipheriv("aes-256-gcm", key, nonce);
    cipher.setAAD(bound);
    return plain(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]));
  },
  unseal(key, nonce, sealed, bound) {
    if (nonce.length !== NONCE_BYTES || sealed.length < TAG_BYTES) return null;
    const options = { authTagLength: TAG_BYTES };
    const decipher = crypto.createDecipheriv("aes-256-gcm", key, nonce, options);
    decipher.setAAD(bound);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const text = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    try {
      return plain(Buffer.concat([text, decipher.final()]));
    } catch {
      return null;
    }
  },
  crc32(bytes, previous = 0) {
    return bytes.length < TABLE_CRC_BYTES
      ? tableCrc32(bytes, 0, bytes.length, previous)
      : zlibCrc32(bytes, previous);
  },
  timingSafeEqual: (a, b) => crypto.timingSafeEqual(a, b),
  rsaOaepEncrypt: (publicKeyPem, message) =>
    plain(crypto.publicEncrypt(oaep(publicKeyPem), message)),
  rsaOaepDecrypt: (privateKeyPem, ciphertext) =>
    plain(crypto.privateDecrypt(oaep(privateKeyPem), ciphertext)),
  certificateFingerprint256: (pem) => new crypto.X509Certificate(pem).fingerprint256,
  keyFits: (certPem, keyPem) =>
    new crypto.X509Certificate(certPem).checkPrivateKey(crypto.createPrivateKey(keyPem)),
  async generateRsaKey() {
    const { privateKey, publicKey } = await generateKeyPair("rsa", {
      modulusLength: 2048,
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    return { privateKey, publicKey };
  },
  selfSignedCertificate,
};

function digest(algorithm: string, parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return plain(crypto.hash(algorithm, parts[0]!, "buffer"));
  const hash = crypto.createHash(algorithm);
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
}

function oaep(key: string): crypto.RsaPrivateKey {
  return { key, padding: crypto.constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" };
}

function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

async function selfSignedCertificate(options: {
  commonName: string;
  altNames: readonly string[];
  notBefore: Date;
  notAfter: Date;
}): Promise<{ cert: string; key: string }> {
  // The library finds its parts through metadata that must be there before it loads.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await globalThis.crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const serial = crypto.randomBytes(SERIAL_BYTES);
  // A serial number is positive and without leading zeros (RFC 5280, 4.1.2.2).
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial.toString("hex"),
      name: [{ CN: [options.commonName] }],
      notBefore: options.notBefore,
      notAfter: options.notAfter,
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign,
          true,
        ),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension(
          options.altNames.map((value) => ({
            type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const),
            value,
          })),
        ),
      ],
    },
    globalThis.crypto,
  );
  const exported = await globalThis.crypto.subtle.exportKey("pkcs8", keys.privateKey);
  const key = crypto.createPrivateKey({ key: Buffer.from(exported), format: "der", type: "pkcs8" });
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: key.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

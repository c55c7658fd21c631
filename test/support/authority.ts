/** A CA of a test's own, and certificates that it signs, as an operator's tools would make them. */
import "reflect-metadata";
import { randomBytes } from "node:crypto";
import * as x509 from "@peculiar/x509";

export interface Credentials {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Authority {
  /** PEM of its own certificate. */
  readonly ca: string;
  readonly issue: (commonName: string, validity?: Validity) => Promise<Credentials>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR_MS = 3_600_000;

export async function createAuthority(commonName: string): Promise<Authority> {
  const signer = await keyPair();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...serialAnd(around(Date.now())),
    name: `CN=${commonName}`,
    keys: signer,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return {
    ca: `${root.toString("pem")}\n`,
    issue: async (name, validity = around(Date.now())) => {
      const { publicKey, privateKey } = await keyPair();
      const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
      const signed = await x509.X509CertificateGenerator.create({
        ...serialAnd(validity),
        subject: `CN=${name}`,
        issuer: root.subject,
        publicKey,
        signingKey: signer.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: [new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth])],
      });
      const exported = await crypto.subtle.exportKey("pkcs8", privateKey);
      return {
        cert: `${signed.toString("pem")}\n`,
        key: `${x509.PemConverter.encode(exported, "PRIVATE KEY")}\n`,
      };
    },
  };
}

export function around(nowMs: number): Validity {
  return { notBefore: new Date(nowMs - HOUR_MS), notAfter: new Date(nowMs + HOUR_MS) };
}

export function before(nowMs: number): Validity {
  return { notBefore: new Date(nowMs - 2 * HOUR_MS), notAfter: new Date(nowMs - HOUR_MS) };
}

function keyPair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** A serial number is positive and without leading zeros (RFC 5280, 4.1.2.2). */
function serialAnd(validity: Validity): Validity & { readonly serialNumber: string } {
  return { ...validity, serialNumber: `40${randomBytes(8).toString("hex")}` };
}

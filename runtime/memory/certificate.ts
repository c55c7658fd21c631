/**
 * Toy certificates for the simulated TLS: a record in base64 between PEM lines. They name a
 * subject, addresses, a time range, an issuer and a key; nothing is signed. The shape is enough
 * to check chain, name, time and possession of the key, which is what the seam promises.
 */
import { createHash } from "node:crypto";
import { decodeText, encodeText } from "../../src/base/bytes.ts";

export interface ToyCertificate {
  readonly commonName: string;
  readonly altNames: readonly string[];
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keyId: string;
  /** Key of the issuer: its own for a self-signed one. */
  readonly issuerKeyId: string;
}

const CERTIFICATE = "CERTIFICATE";
const PRIVATE_KEY = "PRIVATE KEY";

export function toyCertificate(
  options: {
    commonName: string;
    altNames: readonly string[];
    notBefore: Date;
    notAfter: Date;
  },
  keyId: string,
  issuerKeyId: string = keyId,
): { cert: string; key: string } {
  const record: ToyCertificate = {
    commonName: options.commonName,
    altNames: options.altNames,
    notBefore: options.notBefore.getTime(),
    notAfter: options.notAfter.getTime(),
    keyId,
    issuerKeyId,
  };
  return { cert: pem(CERTIFICATE, record), key: pem(PRIVATE_KEY, { keyId }) };
}

export function readCertificates(bundle: string): ToyCertificate[] {
  return records(CERTIFICATE, bundle) as ToyCertificate[];
}

export function readKeyId(key: string): string | null {
  return (records(PRIVATE_KEY, key)[0] as { keyId: string } | undefined)?.keyId ?? null;
}

/** The code that a real TLS library would give, or null when the chain holds. */
export function chainError(
  cert: ToyCertificate,
  ca: string | undefined,
  now: number,
): string | null {
  if (now < cert.notBefore) return "CERT_NOT_YET_VALID";
  if (now > cert.notAfter) return "CERT_HAS_EXPIRED";
  const trusted = readCertificates(ca ?? "").some(({ keyId }) => keyId === cert.issuerKeyId);
  if (trusted) return null;
  const selfSigned = cert.issuerKeyId === cert.keyId;
  return selfSigned ? "DEPTH_ZERO_SELF_SIGNED_CERT" : "UNABLE_TO_VERIFY_LEAF_SIGNATURE";
}

export function fingerprint256(cert: ToyCertificate): string {
  const hex = createHash("sha256").update(JSON.stringify(cert)).digest("hex").toUpperCase();
  return hex.match(/../g)!.join(":");
}

function pem(kind: string, record: object): string {
  const text = btoa(String.fromCharCode(...encodeText(JSON.stringify(record))));
  return `-----BEGIN ${kind}-----\n${text}\n-----END ${kind}-----\n`;
}

function records(kind: string, text: string): unknown[] {
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${kind}-----\\n(.*?)\\n-----END`, "gs"));
  return [...blocks].map(([, body]) => {
    const bytes = Uint8Array.from(atob(body!), (char) => char.charCodeAt(0));
    return JSON.parse(decodeText(bytes)) as unknown;
  });
}

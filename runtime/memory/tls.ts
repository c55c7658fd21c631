/**
 * Simulated TLS: three records over the connection itself, so that order, surplus bytes and
 * faults act on the handshake as on a real one, then the bytes go on in clear. As in TLS 1.3, a
 * client is done before the server has judged its certificate: a refusal shows as a reset later.
 *
 *   record   "TLS" | u32 length | JSON
 *   client → server   serverName
 *   server → client   certificate, whether one is wanted of the client
 *   client → server   certificate, or the alert why the server is not accepted
 */
import { concatBytes, decodeText, encodeText, readU32, writeU32 } from "../../src/base/bytes.ts";
import type { TlsClientOptions, TlsInfo, TlsServerOptions } from "../../src/platform/net.ts";
import { NetError } from "../../src/platform/net.ts";
import {
  chainError,
  fingerprint256,
  readCertificates,
  readKeyId,
  type ToyCertificate,
} from "./certificate.ts";
import type { MemoryConn } from "./conn.ts";

const MAGIC = encodeText("TLS");
const HEADER_BYTES = MAGIC.length + 4;
const MOST_BYTES = 64 * 1024;
const CIPHER = "TLS_SIMULATED";

interface HandshakeRecord {
  readonly serverName?: string;
  readonly cert?: ToyCertificate | null;
  readonly wanted?: boolean;
  readonly alert?: string;
}

export function secureMemoryConn(
  conn: MemoryConn,
  options: TlsServerOptions | TlsClientOptions,
): Promise<TlsInfo> {
  return options.role === "server" ? serve(conn, options) : connect(conn, options);
}

async function serve(conn: MemoryConn, options: TlsServerOptions): Promise<TlsInfo> {
  const own = ownCertificate(options.cert, options.key);
  const wanted = options.clientCert !== "none";
  await receive(conn);
  send(conn, { cert: own, wanted });
  const answer = await receive(conn);
  if (answer.alert !== undefined) throw failed(answer.alert);
  const cert = answer.cert ?? null;
  if (options.clientCert === "none") return info(null, false);
  if (options.clientCert === "ask") return info(cert, false);
  if (cert === null) throw failed("ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE");
  const error = chainError(cert, options.ca, conn.wall());
  if (error !== null) throw failed(error);
  return info(cert, true);
}

async function connect(conn: MemoryConn, options: TlsClientOptions): Promise<TlsInfo> {
  const own =
    options.cert === undefined || options.key === undefined
      ? null
      : ownCertificate(options.cert, options.key);
  send(conn, { serverName: options.serverName });
  const hello = await receive(conn);
  const cert = hello.cert;
  if (!cert) throw failed("ERR_SSL_NO_CERTIFICATE");
  const error = options.verify === "none" ? null : serverError(cert, options, conn.wall());
  if (error !== null) {
    send(conn, { alert: "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA" });
    throw failed(error);
  }
  send(conn, { cert: hello.wanted === true ? own : null });
  return info(cert, options.verify !== "none");
}

function serverError(cert: ToyCertificate, options: TlsClientOptions, now: number): string | null {
  const error = chainError(cert, options.ca, now);
  if (error !== null) return error;
  const named = cert.altNames.includes(options.serverName);
  return options.verify === "identity" && !named ? "ERR_TLS_CERT_ALTNAME_INVALID" : null;
}

function ownCertificate(cert: string, key: string): ToyCertificate {
  const own = readCertificates(cert)[0];
  if (own === undefined) throw failed("ERR_OSSL_PEM_NO_START_LINE");
  if (own.keyId !== readKeyId(key)) throw failed("ERR_OSSL_X509_KEY_VALUES_MISMATCH");
  return own;
}

function info(cert: ToyCertificate | null, authorized: boolean): TlsInfo {
  const base = { version: "TLSv1.3", cipher: CIPHER, authorized };
  if (cert === null) return base;
  return { ...base, peerFingerprint256: fingerprint256(cert), peerCommonName: cert.commonName };
}

function failed(code: string): NetError {
  return new NetError(code, `TLS failed: ${code}`);
}

function send(conn: MemoryConn, record: HandshakeRecord): void {
  const body = encodeText(JSON.stringify(record));
  const header = new Uint8Array(HEADER_BYTES);
  header.set(MAGIC);
  writeU32(header, MAGIC.length, body.length);
  conn.write([header, body]);
}

async function receive(conn: MemoryConn): Promise<HandshakeRecord> {
  let bytes: Uint8Array = new Uint8Array(0);
  for (;;) {
    if (MAGIC.some((byte, at) => at < bytes.length && bytes[at] !== byte)) {
      throw failed("ERR_SSL_WRONG_VERSION_NUMBER");
    }
    if (bytes.length >= HEADER_BYTES) {
      const length = readU32(bytes, MAGIC.length);
      if (length > MOST_BYTES) throw failed("ERR_SSL_DATA_LENGTH_TOO_LONG");
      const end = HEADER_BYTES + length;
      if (bytes.length >= end) {
        conn.unread(bytes.slice(end));
        return JSON.parse(decodeText(bytes.subarray(HEADER_BYTES, end)));
      }
    }
    const more = await conn.read();
    if (more === null) throw new NetError("ECONNRESET", "TLS failed: the connection was closed");
    bytes = concatBytes([bytes, more]);
  }
}

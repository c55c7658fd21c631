/**
 * Who is at the other end: both sides prove that they know the cluster secret, for this very pair of
 * certificates. Somebody in between shows other certificates, so no proof passes through.
 *
 *   client → server   "BRPEER\0" · u8 version · 32 random bytes
 *   server → client   the same
 *   client → server   HMAC-SHA-256(secret, "client" · both fingerprints · both random values)
 *   server → client   HMAC-SHA-256(secret, "server" · …)
 *
 * The client proves first: who scans ports gets nothing to guess the secret from. While the secret
 * is being changed a node has two; it proves with the first and accepts both, and the server answers
 * with the one that the client used.
 */
import { concatBytes, encodeText, equalBytes } from "../base/bytes.ts";
import type { Conn, TlsInfo } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { LinkRefused, PROTOCOL_VERSION } from "./protocol.ts";

const MAGIC = encodeText("BRPEER\0");
const NONCE_BYTES = 32;
const GREETING_BYTES = MAGIC.length + 1 + NONCE_BYTES;
const PROOF_BYTES = 32;
const HANDSHAKE_MS = 10_000;

export interface PeerCredentials {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** The first is ours; the others are accepted too. */
  readonly secrets: readonly string[];
}

/** The secret is not the cluster's, or it is no binraft node. */
export class ProofFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ProofFailed";
  }
}

/** TLS and proof on a fresh connection. Rejects with NetError, ProofFailed or LinkRefused; it is closed then. */
export async function secure(
  platform: Platform,
  conn: Conn,
  role: "client" | "server",
  credentials: PeerCredentials,
): Promise<Conn> {
  let current = conn;
  const cancel = platform.clock.after(HANDSHAKE_MS, () => current.destroy());
  try {
    const { cert, key } = credentials;
    const common = { cert, key, minVersion: "TLSv1.3" } as const;
    // Certificates are the nodes' own: they are not verified by a CA but bound into the proof.
    current = await conn.startTls(
      role === "server"
        ? { role, clientCert: "ask", ...common }
        : { role, serverName: "", verify: "none", ...common },
    );
    await prove(platform, current, role, credentials);
    return current;
  } catch (error) {
    current.destroy();
    throw error;
  } finally {
    cancel();
  }
}

async function prove(
  { crypto, random }: Platform,
  conn: Conn,
  role: "client" | "server",
  { cert, secrets }: PeerCredentials,
): Promise<void> {
  const own = crypto.certificateFingerprint256(cert);
  const theirs = (conn.tls as TlsInfo).peerFingerprint256 ?? "";
  const nonce = random.bytes(NONCE_BYTES);
  const greeting = concatBytes([MAGIC, Uint8Array.of(PROTOCOL_VERSION), nonce]);
  if (role === "client") conn.write([greeting]);
  const other = await take(conn, GREETING_BYTES);
  if (!equalBytes(other.subarray(0, MAGIC.length), MAGIC))
    throw new ProofFailed("The other side is no binraft node");
  if (role === "server") conn.write([greeting]);
  const version = other[MAGIC.length]!;
  if (version !== PROTOCOL_VERSION) {
    const message = `The node speaks protocol ${version} and this one ${PROTOCOL_VERSION}: use one version of binraft`;
    throw new LinkRefused({ code: "protocol", message });
  }
  const [client, server] = role === "client" ? [own, theirs] : [theirs, own];
  const nonces =
    role === "client"
      ? [nonce, other.subarray(-NONCE_BYTES)]
      : [other.subarray(-NONCE_BYTES), nonce];
  const proof = (secret: string, who: "client" | "server"): Uint8Array => {
    const bound = encodeText(`binraft peer ${who}\n${client}\n${server}\n`);
    return crypto.hmacSha256(encodeText(secret), bound, ...nonces);
  };
  if (role === "client") {
    const secret = secrets[0]!;
    conn.write([proof(secret, "client")]);
    const answer = await take(conn, PROOF_BYTES);
    if (!crypto.timingSafeEqual(answer, proof(secret, "server")))
      throw new ProofFailed("The other side does not know the cluster secret");
    return;
  }
  const given = await take(conn, PROOF_BYTES);
  let used: string | null = null;
  for (const secret of secrets)
    if (crypto.timingSafeEqual(given, proof(secret, "client"))) used = secret;
  if (used === null) throw new ProofFailed("The other side does not know the cluster secret");
  conn.write([proof(used, "server")]);
}

async function take(conn: Conn, length: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let have = 0;
  while (have < length) {
    const bytes = await conn.read();
    // What a node does that does not like our proof.
    if (bytes === null)
      throw new ProofFailed(
        "The other side ended the connection: it has another cluster secret, or is no binraft node",
      );
    parts.push(bytes);
    have += bytes.length;
  }
  const all = concatBytes(parts);
  if (have > length) conn.unread(all.slice(length));
  return all.subarray(0, length);
}

/**
 * Who is at the other end: a node that has a certificate of the cluster's CA, or that knows the cluster
 * secret, or both, as this node is configured. TLS judges the certificate. The secret is proved for this
 * very pair of certificates: somebody in between shows other ones, so no proof passes through.
 *
 *   client → server   "BRPEER\0" · u8 version, + 128 without a secret · 32 random bytes
 *   server → client   the same
 *   client → server   HMAC-SHA-256(secret, "client" · both fingerprints · both random values)
 *   server → client   HMAC-SHA-256(secret, "server" · …)
 *
 * The proofs are left out when neither side has a secret. The client proves first: who scans ports
 * gets nothing to guess the secret from. While the secret is being changed a node has two; it proves
 * with the first and accepts both, and the server answers with the one that the client used.
 *
 * The host's name in a certificate is not looked at: members are told apart by their hello.
 */
import { assert } from "../base/assert.ts";
import { concatBytes, encodeText, equalBytes } from "../base/bytes.ts";
import type { Conn, TlsInfo } from "../platform/net.ts";
import { NetError } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { certificateTrouble } from "./certificate-trouble.ts";
import { LinkRefused, PROTOCOL_VERSION } from "./protocol.ts";

const MAGIC = encodeText("BRPEER\0");
const NONCE_BYTES = 32;
const GREETING_BYTES = MAGIC.length + 1 + NONCE_BYTES;
const PROOF_BYTES = 32;
const HANDSHAKE_MS = 10_000;
/** In the byte of the version. */
const NO_SECRET = 0x80;
/** What a node that closes now most likely has against this one. */
const NOT_ACCEPTED =
  "it does not accept this node's certificate (its log says why), or is no binraft node";
const OTHER_SECRET = "it has another cluster secret, or is no binraft node";

export interface PeerCredentials {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** PEM of those who may have signed the other side's; null takes any, the secret binds it. */
  readonly ca: string | null;
  /** The first is ours; the others are accepted too. None: the certificates alone are to do. */
  readonly secrets: readonly string[];
}

/** The certificate or the secret is not the cluster's, or it is no binraft node. */
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
  signal?: AbortSignal,
): Promise<Conn> {
  assert(credentials.ca !== null || credentials.secrets.length > 0, "peers prove themselves");
  let current = conn;
  const end = (): void => current.destroy();
  const cancel = platform.clock.after(HANDSHAKE_MS, end);
  signal?.addEventListener("abort", end, { once: true });
  try {
    current = await startTls(conn, role, credentials);
    await prove(platform, current, role, credentials);
    return current;
  } catch (error) {
    current.destroy();
    throw error;
  } finally {
    cancel();
    signal?.removeEventListener("abort", end);
  }
}

async function startTls(
  conn: Conn,
  role: "client" | "server",
  { cert, key, ca }: PeerCredentials,
): Promise<Conn> {
  const common = { cert, key, minVersion: "TLSv1.3", ...(ca === null ? {} : { ca }) } as const;
  try {
    return await conn.startTls(
      role === "server"
        ? { role, clientCert: ca === null ? "ask" : "require", ...common }
        : { role, serverName: "", verify: ca === null ? "none" : "ca", ...common },
    );
  } catch (error) {
    const trouble = error instanceof NetError ? certificateTrouble(error.code) : null;
    throw trouble === null ? error : new ProofFailed(trouble);
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
  const hasSecret = secrets.length > 0;
  const versionByte = PROTOCOL_VERSION | (hasSecret ? 0 : NO_SECRET);
  const greeting = concatBytes([MAGIC, Uint8Array.of(versionByte), nonce]);
  if (role === "client") conn.write([greeting]);
  const other = await take(conn, GREETING_BYTES, NOT_ACCEPTED);
  if (!equalBytes(other.subarray(0, MAGIC.length), MAGIC))
    throw new ProofFailed("The other side is no binraft node");
  // Sent before it is judged: the client has to learn what does not fit, too.
  if (role === "server") await new Promise<void>((resolve) => conn.write([greeting], resolve));
  const version = other[MAGIC.length]! & ~NO_SECRET;
  if (version !== PROTOCOL_VERSION) {
    const message = `The node speaks protocol ${version} and this one ${PROTOCOL_VERSION}: use one version of binraft`;
    throw new LinkRefused({ code: "protocol", message });
  }
  if (hasSecret !== ((other[MAGIC.length]! & NO_SECRET) === 0)) {
    const [has, lacks] = hasSecret
      ? ["This node", "the other side"]
      : ["The other side", "this node"];
    throw new ProofFailed(
      `${has} has a cluster secret and ${lacks} has none: set cluster.secret_file on all nodes, or on none`,
    );
  }
  if (!hasSecret) return;
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
    const answer = await take(conn, PROOF_BYTES, OTHER_SECRET);
    if (!crypto.timingSafeEqual(answer, proof(secret, "server")))
      throw new ProofFailed("The other side does not know the cluster secret");
    return;
  }
  const given = await take(conn, PROOF_BYTES, OTHER_SECRET);
  let used: string | null = null;
  for (const secret of secrets)
    if (crypto.timingSafeEqual(given, proof(secret, "client"))) used = secret;
  if (used === null) throw new ProofFailed("The other side does not know the cluster secret");
  conn.write([proof(used, "server")]);
}

async function take(conn: Conn, length: number, ifEnded: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let have = 0;
  while (have < length) {
    const bytes = await conn.read();
    if (bytes === null) throw new ProofFailed(`The other side ended the connection: ${ifEnded}`);
    parts.push(bytes);
    have += bytes.length;
  }
  const all = concatBytes(parts);
  if (have > length) conn.unread(all.slice(length));
  return all.subarray(0, length);
}

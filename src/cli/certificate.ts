/**
 * The certificates that replicas and peers see. Without one of the operator's the node makes its own at
 * the first start and keeps it: `tls/server.crt` can be handed to replicas as SOURCE_SSL_CA.
 */
import type { NodeConfig } from "../config/node-config.ts";
import type { Platform } from "../platform/platform.ts";
import { KEY_FILE, PUBLIC_FILE } from "../platform/process.ts";
import { readKept, readNamedFile, textChunks } from "./secrets.ts";

export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
const LIFETIME_DAYS = 3652;

export async function replicaCredentials(
  platform: Platform,
  config: NodeConfig,
): Promise<Credentials> {
  const { tlsCert, tlsKey } = config.replicas;
  if (tlsCert !== null && tlsKey !== null) return readPair(platform, "replicas", tlsCert, tlsKey);
  return keptOrMade(platform, config, "server", config.listen.mysql.host);
}

/** What this node shows to its peers without one of the operator's; the proof of the secret binds it. */
export function ownPeerCertificate(platform: Platform, config: NodeConfig): Promise<Credentials> {
  return keptOrMade(platform, config, "peer", config.listen.peer.host);
}

async function keptOrMade(
  platform: Platform,
  config: NodeConfig,
  name: "server" | "peer",
  host: string,
): Promise<Credentials> {
  const folder = `${config.node.dataDir}/tls`;
  const kept = await readPairOfOurs(platform, folder, name);
  if (kept !== null) return kept;
  const made = await makeCertificate(platform, config, host);
  await platform.disk(config.node.dataDir).makeDir("tls");
  // The key first: a certificate without its key would be taken for whole at the next start.
  await platform.process.writeFile(`${folder}/${name}.key`, textChunks(made.key), 0o600);
  await platform.process.writeFile(`${folder}/${name}.crt`, textChunks(made.cert), 0o644);
  return made;
}

/** Null when the admin API is to speak plain HTTP. */
export async function adminCredentials(
  platform: Platform,
  config: NodeConfig,
): Promise<Credentials | null> {
  const { tlsCert, tlsKey } = config.admin;
  return tlsCert === null || tlsKey === null ? null : readPair(platform, "admin", tlsCert, tlsKey);
}

async function readPair(
  platform: Platform,
  section: string,
  cert: string,
  key: string,
): Promise<Credentials> {
  return {
    cert: await readNamedFile(platform.process, cert, `${section}.tls_cert`),
    key: await readNamedFile(platform.process, key, `${section}.tls_key`, KEY_FILE),
  };
}

async function readPairOfOurs(
  { process }: Platform,
  folder: string,
  name: string,
): Promise<Credentials | null> {
  const cert = await readKept(process, `${folder}/${name}.crt`, "our certificate", PUBLIC_FILE);
  const key = await readKept(process, `${folder}/${name}.key`, "our certificate's key", KEY_FILE);
  return cert === null || key === null ? null : { cert, key };
}

function makeCertificate(
  platform: Platform,
  config: NodeConfig,
  host: string,
): Promise<Credentials> {
  const hostname = platform.process.hostname();
  const everywhere = host === "0.0.0.0" || host === "::";
  const altNames = new Set([
    "localhost",
    "127.0.0.1",
    "::1",
    hostname,
    ...(everywhere ? [] : [host]),
  ]);
  const now = platform.clock.wall();
  return platform.crypto.selfSignedCertificate({
    commonName: `binraft ${config.node.name}`.slice(0, 64),
    altNames: [...altNames],
    // A little in the past, for replicas whose clock is behind.
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + LIFETIME_DAYS * DAY_MS),
  });
}

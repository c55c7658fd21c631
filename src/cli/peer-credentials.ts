/**
 * What this node shows to its peers and accepts of them: certificates of the operator's CA, the
 * cluster secret, or both. The files are read at each use, so they are changed by replacing them.
 */
import { BinraftError } from "../base/errors.ts";
import type { ClusterSection, NodeConfig } from "../config/node-config.ts";
import type { PeerCredentials } from "../peers/handshake.ts";
import type { Platform } from "../platform/platform.ts";
import { KEY_FILE } from "../platform/process.ts";
import { ownPeerCertificate } from "./certificate.ts";
import { readNamedFile, readSecret } from "./secrets.ts";

type Certificates = Omit<PeerCredentials, "secrets">;

/** Rejects with BinraftError, as what it resolves with does. */
export async function peerCredentials(
  platform: Platform,
  config: NodeConfig,
  cluster: ClusterSection,
): Promise<() => Promise<PeerCredentials>> {
  const { tls } = cluster;
  const secrets = (): Promise<readonly string[]> => readClusterSecrets(platform, cluster);
  // Now, so that a mistake shows before anything is listened on.
  await secrets();
  if (tls === null) {
    const own = { ...(await ownPeerCertificate(platform, config)), ca: null };
    return async () => ({ ...own, secrets: await secrets() });
  }
  await readPeerCertificates(platform, tls);
  return async () => ({
    ...(await readPeerCertificates(platform, tls)),
    secrets: await secrets(),
  });
}

/** None where only certificates prove who is of the cluster. */
export async function readClusterSecrets(
  { process }: Platform,
  { secretRef }: ClusterSection,
): Promise<readonly string[]> {
  if (secretRef === null) return [];
  return clusterSecrets(await readSecret(process, secretRef, "cluster.secret_file"));
}

/** What cannot be used is refused here: TLS would take an empty file for "any CA in the world". */
export async function readPeerCertificates(
  { process, crypto }: Platform,
  files: NonNullable<ClusterSection["tls"]>,
): Promise<Certificates> {
  const ca = await readNamedFile(process, files.ca, "cluster.tls_ca");
  const cert = await readNamedFile(process, files.cert, "cluster.tls_cert");
  const key = await readNamedFile(process, files.key, "cluster.tls_key", KEY_FILE);
  if (!isReadable(() => eachCertificate(ca).map(crypto.certificateFingerprint256)))
    throw unusable(files.ca, "cluster.tls_ca", "certificates, each of them whole");
  if (!isReadable(() => crypto.certificateFingerprint256(cert)))
    throw unusable(files.cert, "cluster.tls_cert", "a certificate");
  if (!isReadable(() => crypto.keyFits(cert, key)))
    throw unusable(files.key, "cluster.tls_key", "a key without a passphrase");
  if (!crypto.keyFits(cert, key)) {
    throw new BinraftError(
      "BR1006",
      `The key in "${files.key}" (cluster.tls_key) is not that of the certificate in ` +
        `"${files.cert}" (cluster.tls_cert)`,
      "put the two that were made together there",
    );
  }
  return { ca, cert, key };
}

function eachCertificate(bundle: string): string[] {
  const found = bundle.match(/-----BEGIN CERTIFICATE-----.*?(-----END CERTIFICATE-----|$)/gs);
  return found ?? [bundle];
}

function isReadable(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function unusable(path: string, option: string, what: string): BinraftError {
  return new BinraftError(
    "BR1006",
    `Cannot use "${path}" (${option}): it is to hold ${what}, as PEM`,
    "write it anew, or correct the path",
  );
}

const LEAST_SECRET = 16;

/** One a line; the first is used, all are accepted. */
function clusterSecrets(text: string): string[] {
  const secrets = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (secrets.length > 0 && secrets.every((secret) => secret.length >= LEAST_SECRET))
    return secrets;
  throw new BinraftError(
    "BR1006",
    `The cluster secret is too short: it needs ${LEAST_SECRET} characters or more`,
    "write 32 random hex digits into the file, for instance of openssl rand -hex 16",
  );
}

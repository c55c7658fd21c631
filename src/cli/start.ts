/**
 * `binraft start`: the node with its admin API, from the configuration to the exit code.
 *
 * Order: configuration → secrets and certificates → admin API (answers that the node starts) → node, which
 * may wait for its place in a cluster → wait for a signal or a failed log. A signal drains and ends with
 * 0 within 25 s; during the start at once.
 */
import { toHex } from "../base/bytes.ts";
import { BinraftError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { VERSION } from "../base/version.ts";
import type { ClusterSettings } from "../cluster/cluster-settings.ts";
import type { AccountSettings } from "../cluster/command.ts";
import type { RunningNode } from "../cluster/node.ts";
import type { NodeSettings, StartOptions } from "../cluster/node-settings.ts";
import { startNode } from "../cluster/start-node.ts";
import { formatHostPort, type HostPort } from "../config/kinds.ts";
import { isAnyAddress } from "../config/loopback.ts";
import type { NodeConfig } from "../config/node-config.ts";
import { createVerifiers } from "../mysql/auth/verifier.ts";
import { delay } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import { type AdminPort, openAdminPort } from "./admin-port.ts";
import { tokenPath } from "./admin-token.ts";
import { replicaCredentials } from "./certificate.ts";
import { type CliContext, ExitCode, type GlobalOptions } from "./context.ts";
import { discoveryOf } from "./discovery.ts";
import type { Hosting } from "./hosting.ts";
import { createLogger } from "./logger.ts";
import { peerCredentials } from "./peer-credentials.ts";
import { sealKeys } from "./seal-keys.ts";
import { readSecret, secretPlaces } from "./secrets.ts";
import { loadSettings } from "./settings.ts";
import { describeFatal, describeStartError } from "./start-error.ts";

const STOP_MS = 24_000;
const ADMIN_STOP_MS = 2_000;

interface StartFlags extends GlobalOptions {
  readonly bootstrap?: boolean;
}

export async function runStart(context: CliContext, options: StartFlags): Promise<ExitCode> {
  const { platform, policies } = context;
  const hosting = context.hosting(platform.process.env);
  const { config, file } = await loadSettings(context, options);
  const logger = await createLogger({ process: platform.process, debug: options.debug === true });
  const signalled = untilSignal(platform, logger);
  const bootstrap = options.bootstrap === true;
  const starting = startAll({ platform, policies, logger }, { config, hosting, bootstrap }).catch(
    (error: unknown) => {
      throw describeStartError(error);
    },
  );
  // It may wait for its place in a cluster for ever, and as the first process of a container would not
  // end by a signal that nobody takes. There is nobody yet who would have to be told.
  const running = await Promise.race([starting, signalled]);
  if (running === null) {
    logger.info("binraft has stopped before it was ready");
    return ExitCode.OK;
  }
  const { node, admin } = running;
  logger.info("binraft is ready", {
    version: VERSION,
    node: config.node.name,
    region: config.node.region,
    mysql: formatHostPort(node.mysqlAddress),
    admin: formatHostPort(admin.address),
    dataDir: config.node.dataDir,
    config: file === "" ? "none" : file,
    adminToken: config.admin.tokenRef ?? `file:${tokenPath(config)}`,
  });
  const failure = await Promise.race([node.failed, signalled]);
  const stopped = await stopAll(platform, running, logger);
  if (failure !== null) throw describeFatal(failure);
  if (!stopped) logger.warn("Some connections did not end in time: they were cut");
  logger.info("binraft has stopped");
  return ExitCode.OK;
}

interface Running {
  readonly node: RunningNode;
  readonly admin: AdminPort;
}

interface Told {
  readonly config: NodeConfig;
  readonly hosting: Hosting | null;
  readonly bootstrap: boolean;
}

async function startAll(
  given: Pick<StartOptions, "platform" | "policies" | "logger">,
  told: Told,
): Promise<Running> {
  const { platform, logger } = given;
  const { config, hosting, bootstrap } = told;
  if (bootstrap && config.cluster === null) {
    throw new BinraftError(
      "BR1005",
      "--bootstrap is for nodes of a cluster: without [cluster] an empty directory becomes a node of its own",
    );
  }
  const cluster = await clusterSettings(platform, told);
  const settings = { ...(await nodeSettings(platform, config)), cluster };
  const tls = await replicaCredentials(platform, config);
  const admin = await openAdminPort(platform, config, hosting, logger.with({ part: "admin" }));
  try {
    const { onWaiting } = admin;
    const node = await startNode({ ...given, settings, tls, onWaiting });
    admin.answerFor(node);
    return { node, admin };
  } catch (error) {
    await admin.stop(0);
    throw error;
  }
}

/** Null on a node of its own. */
async function clusterSettings(
  platform: Platform,
  { config, hosting, bootstrap }: Told,
): Promise<ClusterSettings | null> {
  const { cluster, listen } = config;
  if (cluster === null) return null;
  const { advertise, bootstrapExpect, heartbeatMs, electionMs, history } = cluster;
  const { placement, compress, wanWindowBytes, leaderCooldownMs, replaceAfterMs, removeAfterMs } =
    cluster;
  const scheme = config.admin.tlsCert === null ? "http" : "https";
  const reachable = (address: HostPort): string =>
    formatHostPort(isAnyAddress(address.host) ? { ...address, host: advertise.host } : address);
  return {
    listen: listen.peer,
    advertised: {
      peer: formatHostPort(advertise),
      mysql: reachable(listen.mysql),
      admin: `${scheme}://${reachable(listen.admin)}`,
    },
    discovery: discoveryOf(platform, cluster, listen.peer.port, hosting),
    bootstrapExpect,
    bootstrap,
    history,
    heartbeatMs,
    electionMs,
    placement: { ...placement, leaderRegion: null },
    compress,
    wanWindowBytes,
    leaderCooldownMs,
    replaceAfterMs,
    removeAfterMs,
    credentials: await peerCredentials(platform, config, cluster),
  };
}

/** What the node takes, with the accounts' passwords turned into verifiers. */
export async function nodeSettings(
  platform: Platform,
  config: NodeConfig,
): Promise<Omit<NodeSettings, "cluster">> {
  const accounts = new Map<string, AccountSettings>();
  for (const { name, passwordRef, native, metadata } of config.accounts) {
    const password = await readSecret(
      platform.process,
      passwordRef,
      `accounts.${name}.password_file`,
    );
    const verifiers = createVerifiers(platform.crypto, password, { native });
    accounts.set(name, {
      sha2: toHex(verifiers.sha2),
      native: verifiers.native === null ? null : toHex(verifiers.native),
      ...(metadata ? { metadata } : {}),
    });
  }
  return {
    name: config.node.name,
    region: config.node.region,
    version: VERSION,
    dataDir: config.node.dataDir,
    serverId: config.node.serverId,
    mysqlAddress: config.listen.mysql,
    segmentBytes: config.storage.segmentBytes,
    retentionBytes: config.storage.retentionBytes,
    retentionHours: config.storage.retentionHours,
    keepForAbsentHours: config.storage.keepForAbsentHours,
    requireTls: config.replicas.requireTls,
    maxConnections: config.replicas.maxConnections,
    allowOriginServerIds: config.replicas.allowOriginServerIds,
    source: config.source,
    accounts,
    secretPlaces: secretPlaces(config),
    sealKeys: sealKeys(platform, config),
  };
}

/** Resolves with null at the first signal; a second one ends the process at once. */
function untilSignal({ process }: Platform, logger: Logger): Promise<null> {
  return new Promise((resolve) => {
    let seen = false;
    const onSignal = (signal: string): void => {
      if (seen) process.exit(ExitCode.FAILED);
      seen = true;
      logger.info("Stopping; a second signal ends it at once", { signal });
      resolve(null);
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.onSignal(signal, () => onSignal(signal));
  });
}

/** False when it took too long. */
async function stopAll(
  platform: Platform,
  { node, admin }: Running,
  logger: Logger,
): Promise<boolean> {
  const stop = async (): Promise<boolean> => {
    await admin.stop(ADMIN_STOP_MS);
    await node
      .stop()
      .catch((error: Error) => logger.error("Stopping failed", { reason: error.message }));
    return true;
  };
  return Promise.race([stop(), delay(platform.clock, STOP_MS).then(() => false)]);
}

/**
 * The admin API over the life of a process: it listens before there is a node to ask, so that nobody
 * takes one that reads a long log, or waits for its place in a cluster, for dead.
 */
import { createApp, createStartingApp, type GuardOptions } from "../admin/app.ts";
import type { Logger } from "../base/logger.ts";
import { READS_LOG, type Waiting } from "../cluster/operations.ts";
import type { NodeConfig } from "../config/node-config.ts";
import type { Address } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { adminToken } from "./admin-token.ts";
import { adminCredentials } from "./certificate.ts";
import type { Hosting } from "./hosting.ts";

export interface AdminPort {
  readonly address: Address;
  /** What everybody is told from now on, until there is a node. */
  readonly onWaiting: (waiting: Waiting) => void;
  answerFor(node: Parameters<typeof createApp>[0]["node"]): void;
  stop(graceMs: number): Promise<void>;
}

/** Rejects with BinraftError, DiskError (ELOCKED: another process has the directory), NetError. */
export async function openAdminPort(
  platform: Platform,
  config: NodeConfig,
  hosting: Hosting | null,
  logger: Logger,
): Promise<AdminPort> {
  const advertised = config.cluster === null ? [] : [config.cluster.advertise.host];
  const guards: GuardOptions = {
    clock: platform.clock,
    crypto: platform.crypto,
    token: await tokenUnderLock(platform, config),
    hostNames: [
      config.listen.admin.host,
      platform.process.hostname(),
      ...advertised,
      ...(hosting?.hostNames ?? []),
    ],
    openMetrics: config.admin.openMetrics,
    logger,
  };
  let waiting = READS_LOG;
  let app = createStartingApp(guards, () => waiting);
  const tls = await adminCredentials(platform, config);
  const server = await platform.http.serve(
    config.listen.admin,
    (request) => app.fetch(request),
    tls === null ? undefined : { role: "server", clientCert: "none", ...tls },
  );
  return {
    address: server.address,
    onWaiting: (now) => {
      waiting = now;
    },
    answerFor: (node) => {
      app = createApp({ ...guards, node, replay: hosting?.replay ?? null });
    },
    stop: (graceMs) => server.stop(graceMs),
  };
}

/** A second process on the directory is to be told that, not that a port is taken. */
async function tokenUnderLock(platform: Platform, config: NodeConfig): Promise<string> {
  const release = await platform.disk(config.node.dataDir).lock();
  try {
    return await adminToken(platform, config);
  } finally {
    await release();
  }
}

/** A node inside the test's own process, on real sockets and a real folder. */

import { rm } from "node:fs/promises";
import path from "node:path";
import type { MysqlServer } from "../../demo/mysql/server.ts";
import { GEO } from "../../geo/policies.ts";
import { toHex } from "../../src/base/bytes.ts";
import { type Logger, silentLogger } from "../../src/base/logger.ts";
import type { AccountSettings, SourceSettings } from "../../src/cluster/command.ts";
import type { RunningNode } from "../../src/cluster/node.ts";
import type { NodeSettings } from "../../src/cluster/node-settings.ts";
import { startNode } from "../../src/cluster/start-node.ts";
import { createVerifiers } from "../../src/mysql/auth/verifier.ts";
import { ANY_SECRET } from "./any-secret.ts";
import { tempDir } from "./temp-dir.ts";
import { thisPlatform } from "./this-platform.ts";
import { waitFor } from "./wait-for.ts";

export const ACCOUNT = { user: "repl", password: "replica-password" } as const;
export const SOURCE_USER = { user: "puller", password: "source-password" } as const;

const platform = await thisPlatform();
let certificate: Promise<{ cert: string; key: string }> | null = null;

export function testCertificate(): Promise<{ cert: string; key: string }> {
  certificate ??= platform.crypto.selfSignedCertificate({
    commonName: "binraft test",
    altNames: ["localhost", "127.0.0.1"],
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 365 * 86_400_000),
  });
  return certificate;
}

export function testAccounts(): Map<string, AccountSettings> {
  const verifiers = createVerifiers(platform.crypto, ACCOUNT.password, { native: true });
  const native = verifiers.native === null ? null : toHex(verifiers.native);
  return new Map([[ACCOUNT.user, { sha2: toHex(verifiers.sha2), native }]]);
}

/** Made on a source by `createSourceUser`; over TLS, with the CA that the server made for itself. */
export function sourceSettings(
  source: { host: string; port: number; binlogDir: string },
  change: Partial<SourceSettings> = {},
): SourceSettings {
  process.env["BINRAFT_TEST_SOURCE_PASSWORD"] = SOURCE_USER.password;
  return {
    host: source.host,
    port: source.port,
    user: SOURCE_USER.user,
    passwordRef: "env:BINRAFT_TEST_SOURCE_PASSWORD",
    tls: "verify-ca",
    tlsCa: path.join(source.binlogDir, "ca.pem"),
    tlsCert: null,
    tlsKey: null,
    publicKeyFile: null,
    semiSync: true,
    serverId: 4000,
    nativePassword: false,
    keepConnection: true,
    region: null,
    ...change,
  };
}

/** The user that binraft pulls with. */
export async function createSourceUser(source: MysqlServer): Promise<void> {
  const { user, password } = SOURCE_USER;
  await source.exec(
    `CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';
     GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${user}'@'%'`,
  );
}

export interface LocalNodeOptions {
  readonly dataDir?: string;
  readonly source?: SourceSettings | null;
  readonly settings?: Partial<NodeSettings>;
  readonly logger?: Logger;
}

/** Made here, whichever node uses them by now. */
const ownDirs = new Set<string>();

export class LocalNode {
  readonly node: RunningNode;
  readonly dataDir: string;
  readonly #options: LocalNodeOptions;

  private constructor(node: RunningNode, dataDir: string, options: LocalNodeOptions) {
    this.node = node;
    this.dataDir = dataDir;
    this.#options = options;
  }

  static async start(options: LocalNodeOptions): Promise<LocalNode> {
    const dataDir = options.dataDir ?? (await tempDir("node")).path;
    if (options.dataDir === undefined) ownDirs.add(dataDir);
    const node = await startNode({
      platform,
      logger: options.logger ?? (process.env["BINRAFT_TEST_LOG"] ? consoleLogger : silentLogger),
      policies: GEO,
      tls: await testCertificate(),
      settings: {
        name: "test",
        region: "",
        version: "0.0.0-test",
        dataDir,
        serverId: null,
        mysqlAddress: { host: "127.0.0.1", port: 0 },
        segmentBytes: 16 * 1024 * 1024,
        retentionBytes: null,
        retentionHours: null,
        keepForAbsentHours: 24,
        requireTls: false,
        maxConnections: 200,
        allowOriginServerIds: false,
        source: options.source ?? null,
        accounts: testAccounts(),
        ...ANY_SECRET,
        cluster: null,
        ...options.settings,
      },
    });
    return new LocalNode(node, dataDir, options);
  }

  get port(): number {
    return this.node.mysqlAddress.port;
  }

  get endpoint(): { host: string; port: number; user: string; password: string } {
    return { host: "127.0.0.1", port: this.port, ...ACCOUNT };
  }

  /** Stops cleanly and starts again on the same folder and port. */
  async restart(): Promise<LocalNode> {
    const { port } = this;
    await this.node.stop();
    const settings = { ...this.#options.settings, mysqlAddress: { host: "127.0.0.1", port } };
    return LocalNode.start({ ...this.#options, settings, dataDir: this.dataDir });
  }

  async stop(): Promise<void> {
    await this.node.stop();
    if (ownDirs.delete(this.dataDir)) await rm(this.dataDir, { recursive: true, force: true });
  }

  /** Until the node has stored and applied all that the source has executed. */
  async caughtUp(source: MysqlServer, deadlineMs = 30_000): Promise<void> {
    const { GtidSet } = await import("../../src/gtid/gtid-set.ts");
    const wanted = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
    await waitFor(() => GtidSet.parse(this.node.gtid().executed).containsSet(wanted), {
      deadlineMs,
      what: `the node to have ${wanted} (it is ${JSON.stringify(this.node.status().syncer.reason)})`,
    });
  }

  async syncerIs(state: string, deadlineMs = 20_000): Promise<void> {
    await waitFor(() => this.node.status().syncer.state === state, {
      deadlineMs,
      what: `the syncer to be ${state}, it is ${JSON.stringify(this.node.status().syncer)}`,
    });
  }

  async exportFile(name: string): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.node.exportFile(name)) parts.push(part);
    return Buffer.concat(parts);
  }
}

const write = (level: string) => (message: string, fields?: object) =>
  console.error(level, message, fields ?? "");
const consoleLogger: Logger = {
  debug() {},
  info: write("info"),
  warn: write("warn"),
  error: write("error"),
  with: () => consoleLogger,
};

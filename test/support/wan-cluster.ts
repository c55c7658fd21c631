/**
 * A cluster over three regions, with everything real but the distance: a source in the first region, in each
 * region a voter and learners, and a replica that follows the first learner. Whatever leaves a region goes
 * through a proxy that is as far, as wide and as restless as the line between the two.
 */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { type Check, runChecks } from "../../demo/checks.ts";
import { ClusterProcesses } from "../../demo/cluster-processes.ts";
import { Load, type LoadOptions } from "../../demo/load.ts";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { PeerNetwork } from "../../demo/network/peer-network.ts";
import {
  lineBetween,
  REGIONS,
  regionOf,
  SOURCE,
  SOURCE_REGION,
} from "../../demo/network/regions.ts";
import type { NodeProcess } from "../../demo/node-process.ts";
import { startReplica, waitForReplica } from "../../demo/replica.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { ACCOUNT, createSourceUser, SOURCE_USER } from "./local-node.ts";
import { waitFor } from "./wait-for.ts";

export interface WanOptions {
  readonly learnersPerRegion?: number;
  readonly load?: LoadOptions;
  /** Lines of [cluster]. */
  readonly cluster?: string;
  readonly say?: (line: string) => void;
}

/** Three replicas that sync each transaction on the one disk here would slow down all that is measured. */
const NO_SYNC = ["--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2"];

export class WanCluster {
  readonly folder: string;
  readonly network: PeerNetwork;
  readonly cluster: ClusterProcesses;
  /** By region; the one of the source is among `sources` while it is that. */
  readonly replicas: Map<string, MysqlServer> = new Map();
  readonly #all: MysqlServer[];
  source: MysqlServer;
  load: Load;
  /** Of sources that are gone. */
  readonly #acknowledged = new Set<number>();

  static async start(options: WanOptions = {}): Promise<WanCluster> {
    const { learnersPerRegion = 1, cluster: lines = "", say = () => {} } = options;
    const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-wan-"));
    const source = await MysqlServer.start({ serverId: 1 });
    await createSourceUser(source);
    await source.exec(SCHEMA);
    await asSource(source);
    let nodes: readonly NodeProcess[] = [];
    const pids = (): Map<string, number> => new Map(nodes.map(({ name, pid }) => [name, pid]));
    const network = new PeerNetwork(pids, lineBetween);
    const secret = path.join(folder, "source-password");
    await writeFile(secret, SOURCE_USER.password, { mode: 0o600 });
    const each = (number: number): string[] => REGIONS.map((region) => `${region}-${number}`);
    const cluster = await ClusterProcesses.create({
      folder: path.join(folder, "cluster"),
      voters: each(1),
      learners: Array.from({ length: learnersPerRegion }, (_, at) => each(at + 2)).flat(),
      cluster: lines,
      toml: `[source]
url = "mysql://${SOURCE_USER.user}@${await network.advertise(SOURCE, source.port)}"
region = "${SOURCE_REGION}"
password_file = ${JSON.stringify(secret)}
tls = "verify-ca"
tls_ca = ${JSON.stringify(path.join(source.binlogDir, "ca.pem"))}
[storage]
segment_bytes = "16MiB"`,
      account: ACCOUNT,
      region: regionOf,
      advertise: (name, port) => network.advertise(name, port),
    });
    nodes = cluster.nodes;
    const made = new WanCluster(folder, network, cluster, source, new Load(source, options.load));
    try {
      await cluster.start();
      say(`${cluster.nodes.length} nodes in ${REGIONS.join(", ")} run`);
      for (const [at, region] of REGIONS.entries()) await made.#replica(region, at + 2);
      return made;
    } catch (error) {
      await made.stop();
      throw error;
    }
  }

  private constructor(
    folder: string,
    network: PeerNetwork,
    cluster: ClusterProcesses,
    source: MysqlServer,
    load: Load,
  ) {
    this.folder = folder;
    this.network = network;
    this.cluster = cluster;
    this.source = source;
    this.load = load;
    this.#all = [source];
  }

  async #replica(region: string, serverId: number): Promise<void> {
    const replica = await MysqlServer.start({ serverId, args: NO_SYNC });
    this.#all.push(replica);
    this.replicas.set(region, replica);
    const { mysqlPort } = this.cluster.node(`${region}-2`);
    await startReplica(replica, { host: "127.0.0.1", port: mysqlPort, ...ACCOUNT });
  }

  nodesOf(region: string): NodeProcess[] {
    return this.cluster.nodes.filter(({ name }) => regionOf(name) === region);
  }

  /** Until the leader is in that region. */
  async leaderIn(region: string, deadlineMs = 120_000): Promise<NodeProcess> {
    return waitFor(
      async () => {
        const leader = await this.cluster.leaderNow();
        return leader !== null && regionOf(leader.name) === region ? leader : null;
      },
      { deadlineMs, what: `the leader to be in ${region}`, pollMs: 100 },
    );
  }

  /** Of the leader there is; the highest that anybody knows otherwise. */
  async term(): Promise<number> {
    const terms = await Promise.all(
      this.cluster.nodes.map((node) =>
        node.status().then(
          ({ raft }) => raft.term,
          () => 0,
        ),
      ),
    );
    return Math.max(...terms);
  }

  /** Nothing passes between this region and the others, its source and replica included. */
  cutRegion(region: string): void {
    const names = this.nodesOf(region).map(({ name }) => name);
    this.network.separate(region === SOURCE_REGION ? [...names, SOURCE] : names);
  }

  cutNode(name: string): void {
    this.network.separate([name]);
  }

  async commitsFlow(more: number, deadlineMs: number, what: string): Promise<void> {
    const before = this.load.committed;
    await waitFor(() => this.load.committed >= before + more, { deadlineMs, what, pollMs: 10 });
  }

  /** The source is lost, and the replica of a region becomes it; writes go on there. */
  async failOver(region: string, options: LoadOptions): Promise<void> {
    await this.load.stop();
    for (const n of this.load.acknowledged) this.#acknowledged.add(n);
    const promoted = this.replicas.get(region)!;
    await waitForReplica(this.source, promoted, 120_000);
    await this.source.kill();
    this.replicas.delete(region);
    await promoted.exec("STOP REPLICA; RESET REPLICA ALL");
    await asSource(promoted);
    this.source = promoted;
    // It is elsewhere from now on, for whoever connects to it.
    const name = `${region}-source`;
    const address = await this.network.advertise(name, promoted.port);
    const [host, port] = address.split(":") as [string, string];
    const body = JSON.stringify({
      host,
      port: Number(port),
      region,
      // Another server: the password is named again.
      password: SOURCE_USER.password,
      tlsCa: await readFile(path.join(promoted.binlogDir, "ca.pem"), "utf8"),
    });
    const headers = { "content-type": "application/json" };
    const leader = await this.cluster.leader();
    const answer = await leader.fetch("/v1/syncer", { method: "PUT", body, headers });
    assert.equal(answer.status, 200, await answer.text());
    this.load = new Load(promoted, { ...options, after: this.load.last });
    this.load.start();
  }

  /** All that must hold once nobody writes any more. */
  async check(): Promise<Check[]> {
    for (const n of this.#acknowledged) this.load.acknowledged.add(n);
    const { source, load } = this;
    const replicas = [...this.replicas.values()];
    const { nodes } = this.cluster;
    const common = { source, nodes, replicas, load, account: ACCOUNT, puller: SOURCE_USER };
    return runChecks(common);
  }

  /** Between regions, MiB, by "iad>fra". */
  regionMiB(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const [key, bytes] of this.network.passedBytes()) {
      const [from, to] = key.split(">").map(regionOf) as [string, string];
      if (from !== to) sums[`${from}>${to}`] = (sums[`${from}>${to}`] ?? 0) + bytes / 2 ** 20;
    }
    return Object.fromEntries(
      Object.entries(sums).map(([way, mib]) => [way, Math.round(mib * 100) / 100]),
    );
  }

  async lastWords(lines = 12): Promise<string> {
    const said = await Promise.all(
      this.cluster.nodes.map(async (node) => {
        const all = (await node.said()).trimEnd().split("\n");
        return `--- ${node.name}\n${all.slice(-lines).join("\n")}`;
      }),
    );
    return said.join("\n");
  }

  async stop(): Promise<void> {
    // A commit that waits for an ACK ends with its server.
    for (const server of this.#all) await server.remove();
    await this.load.stop();
    await Promise.all(this.cluster.nodes.map((node) => node.kill()));
    await this.network.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Its commits are synced, and wait for an ACK. */
async function asSource(server: MysqlServer): Promise<void> {
  await server.waitForAcks();
  await server.exec("SET GLOBAL sync_binlog = 1, GLOBAL innodb_flush_log_at_trx_commit = 1");
}

/**
 * A cluster of node processes between a real source and real replicas, with faults to switch on:
 * partitions between the nodes, and cuts between the nodes and the source.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { runChecks } from "../../demo/checks.ts";
import { ClusterProcesses, type ClusterProcessesOptions } from "../../demo/cluster-processes.ts";
import { Load, type LoadOptions } from "../../demo/load.ts";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { PeerNetwork } from "../../demo/network/peer-network.ts";
import { TcpProxy } from "../../demo/network/tcp-proxy.ts";
import type { NodeProcess } from "../../demo/node-process.ts";
import { startReplica } from "../../demo/replica.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { ACCOUNT, createSourceUser, SOURCE_USER } from "./local-node.ts";
import { sourceToml } from "./source-toml.ts";
import { waitFor } from "./wait-for.ts";

export const VOTERS = ["v1", "v2", "v3"] as const;
export const LEARNER = "learner";

export interface MysqlClusterOptions {
  readonly learners?: readonly string[];
  /** Names of the nodes that a replica follows. */
  readonly replicas?: readonly string[];
  readonly timing?: ClusterProcessesOptions["timing"];
  readonly dataDir?: ClusterProcessesOptions["dataDir"];
  readonly load?: LoadOptions;
  readonly nodeArgs?: readonly string[];
  /** Further sections. */
  readonly toml?: string;
}

export class MysqlCluster {
  readonly folder: string;
  readonly source: MysqlServer;
  readonly sourceProxy: TcpProxy;
  readonly network: PeerNetwork;
  readonly cluster: ClusterProcesses;
  readonly load: Load;
  readonly replicas: MysqlServer[] = [];

  /** The source's commits wait for an ACK for an hour; nobody writes yet. */
  static async start(options: MysqlClusterOptions = {}): Promise<MysqlCluster> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-cluster-"));
    const source = await MysqlServer.start({ serverId: 1 });
    await createSourceUser(source);
    await source.exec(SCHEMA);
    await source.waitForAcks();
    const sourceProxy = await TcpProxy.start({ host: source.host, port: source.port });
    const toml = await sourceToml(folder, { port: sourceProxy.port, binlogDir: source.binlogDir });
    let nodes: readonly NodeProcess[] = [];
    const network = new PeerNetwork(() => new Map(nodes.map(({ name, pid }) => [name, pid])));
    const { learners = [], replicas = [], timing, dataDir, nodeArgs } = options;
    const cluster = await ClusterProcesses.create({
      folder: path.join(folder, "cluster"),
      voters: VOTERS,
      learners,
      toml: `${toml}\n${options.toml ?? '[storage]\nsegment_bytes = "16MiB"'}`,
      account: ACCOUNT,
      advertise: (name, port) => network.advertise(name, port),
      ...(timing === undefined ? {} : { timing }),
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(nodeArgs === undefined ? {} : { nodeArgs }),
    });
    nodes = cluster.nodes;
    const load = new Load(source, options.load);
    const made = new MysqlCluster({ folder, source, sourceProxy, network, cluster, load });
    try {
      await cluster.start();
      for (const [at, name] of replicas.entries()) await made.#replica(at + 2, cluster.node(name));
      return made;
    } catch (error) {
      const said = await made.lastWords();
      await made.stop();
      throw new Error(`${(error as Error).message}\n${said}`, { cause: error });
    }
  }

  private constructor(
    parts: Pick<MysqlCluster, "folder" | "source" | "sourceProxy" | "network" | "cluster" | "load">,
  ) {
    this.folder = parts.folder;
    this.source = parts.source;
    this.sourceProxy = parts.sourceProxy;
    this.network = parts.network;
    this.cluster = parts.cluster;
    this.load = parts.load;
  }

  async #replica(serverId: number, node: NodeProcess): Promise<void> {
    const replica = await MysqlServer.start({ serverId });
    this.replicas.push(replica);
    await startReplica(replica, { host: "127.0.0.1", port: node.mysqlPort, ...ACCOUNT });
  }

  /** Of the source, such as "no_tx": commits that went on without an ACK. */
  async counter(name: string): Promise<number> {
    const sql = `SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_${name}'`;
    return Number((await this.source.query(sql))[0]![1]);
  }

  followers(leader: NodeProcess): NodeProcess[] {
    return VOTERS.map((name) => this.cluster.node(name)).filter((node) => node !== leader);
  }

  /** Until the load has had so many more commits acknowledged; resolves with the time of the first. */
  async commitsFlow(more: number, deadlineMs: number, what: string): Promise<number> {
    const { load } = this;
    const before = load.committed;
    await waitFor(() => load.committed > before, { deadlineMs, what, pollMs: 2 });
    const first = performance.now();
    await waitFor(() => load.committed >= before + more, { deadlineMs, what, pollMs: 2 });
    return first;
  }

  /** All that must hold once nobody writes any more: everything equal, nothing lost. */
  async check(): Promise<void> {
    const checks = await runChecks({
      source: this.source,
      nodes: this.cluster.nodes,
      replicas: this.replicas,
      load: this.load,
      account: ACCOUNT,
      puller: SOURCE_USER,
    });
    const bad = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    assert.deepEqual(bad, []);
  }

  /** The last lines of each node's log. */
  async lastWords(lines = 12): Promise<string> {
    const said = await Promise.all(
      this.cluster.nodes.map(async (node) => {
        const all = (await node.said()).trimEnd().split("\n");
        return `--- ${node.name}${node.running ? "" : " (down)"}\n${all.slice(-lines).join("\n")}`;
      }),
    );
    return said.join("\n");
  }

  async stop(): Promise<void> {
    // A commit that waits for an ACK ends with its server.
    for (const server of [this.source, ...this.replicas]) await server.remove();
    await this.load.stop();
    await Promise.all(this.cluster.nodes.map((node) => node.kill()));
    await this.network.close();
    await this.sourceProxy.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

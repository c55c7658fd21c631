/** Nodes of one cluster, each a process of its own: voters that form it together, learners that join. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { freePort } from "./mysql/server.ts";
import { NodeProcess } from "./node-process.ts";
import type { Runtime } from "./runtimes.ts";

const SECRET = "a-secret-that-only-the-demo-uses";
const LEADER_DEADLINE_MS = 300_000;
const POLL_MS = 20;

export interface ClusterProcessesOptions {
  /** Each node has a folder in it. */
  readonly folder: string;
  /** Their names; they form the cluster. */
  readonly voters: readonly string[];
  readonly learners?: readonly string[];
  /** For all: [source], [storage] and others; not [cluster]. */
  readonly toml: string;
  readonly account: { readonly user: string; readonly password: string };
  readonly secret?: string;
  /** Lines of [cluster] by which a node proves itself, instead of that secret. */
  readonly proof?: (name: string) => string;
  /** Further lines of [cluster]. */
  readonly cluster?: string;
  /** Where a node is. */
  readonly region?: (name: string) => string;
  readonly timing?: { readonly heartbeatMs: number; readonly electionMs: number };
  /** Where the others reach a node instead of its peer port, such as a proxy in front of it. */
  readonly advertise?: (name: string, peerPort: number) => Promise<string>;
  /** A directory for a node's data outside its folder, such as a disk of its own. */
  readonly dataDir?: (name: string) => string | undefined;
  /** That of this process for all when absent. */
  readonly runtime?: (name: string) => Runtime;
  readonly nodeArgs?: readonly string[];
}

/** How a node comes into a cluster; nothing of it matters once it has a place. */
export type Entrance = "form" | "join" | "from-now" | "wait";

export class ClusterProcesses {
  readonly folder: string;
  readonly nodes: NodeProcess[] = [];
  readonly #options: ClusterProcessesOptions;
  readonly #addresses = new Map<string, string>();

  private constructor(options: ClusterProcessesOptions) {
    this.folder = options.folder;
    this.#options = options;
  }

  /** Writes configurations; `start` starts. */
  static async create(options: ClusterProcessesOptions): Promise<ClusterProcesses> {
    const cluster = new ClusterProcesses(options);
    await mkdir(options.folder, { recursive: true });
    await writeFile(cluster.secretFile, options.secret ?? SECRET, { mode: 0o600 });
    const ports = new Map<string, number>();
    for (const name of options.voters) {
      const port = await freePort();
      ports.set(name, port);
      await cluster.#addressOf(name, port);
    }
    for (const name of options.voters) await cluster.add(name, "form", ports.get(name));
    for (const name of options.learners ?? []) await cluster.add(name, "join");
    return cluster;
  }

  get secretFile(): string {
    return path.join(this.folder, "cluster-secret");
  }

  /** Where the others reach it. */
  peerAddress(name: string): string {
    return this.#addresses.get(name)!;
  }

  async #addressOf(name: string, port: number): Promise<string> {
    const advertise = this.#options.advertise;
    const address = advertise ? await advertise(name, port) : `127.0.0.1:${port}`;
    this.#addresses.set(name, address);
    return address;
  }

  /** Another node; it is not started. */
  async add(name: string, entrance: Entrance, port?: number): Promise<NodeProcess> {
    const { account, toml, voters, timing, dataDir, proof, runtime, region, nodeArgs } =
      this.#options;
    const peerPort = port ?? (await freePort());
    const advertised = this.#addresses.get(name) ?? (await this.#addressOf(name, peerPort));
    const join = voters.map((voter) => this.#addresses.get(voter)!);
    const lines = [
      "[cluster]",
      proof?.(name) ?? `secret_file = ${JSON.stringify(this.secretFile)}`,
      `advertise = "${advertised}"`,
      entrance === "wait" ? "" : `join = ${JSON.stringify(join)}`,
      entrance === "from-now" ? 'history = "from-now"' : "",
      entrance === "form" ? `bootstrap_expect = ${voters.length}` : "",
      timing === undefined ? "" : `heartbeat_ms = ${timing.heartbeatMs}`,
      timing === undefined ? "" : `election_ms = ${timing.electionMs}`,
      this.#options.cluster ?? "",
    ];
    const disk = dataDir?.(name);
    const node = await NodeProcess.create({
      folder: path.join(this.folder, name),
      name,
      peerPort,
      account,
      toml: `${lines.join("\n")}\n${toml}`,
      ...(region === undefined ? {} : { region: region(name) }),
      ...(disk === undefined ? {} : { dataDir: disk }),
      ...(runtime === undefined ? {} : { runtime: runtime(name) }),
      ...(nodeArgs === undefined ? {} : { nodeArgs }),
    });
    this.nodes.push(node);
    return node;
  }

  node(name: string): NodeProcess {
    const found = this.nodes.find((one) => one.name === name);
    if (found === undefined) throw new Error(`The cluster has no node "${name}"`);
    return found;
  }

  /** All that do not run, at the same time: the voters wait for each other. */
  async start(): Promise<void> {
    const resting = this.nodes.filter((node) => !node.running);
    for (const node of resting) node.launch();
    await Promise.all(resting.map((node) => node.untilReady()));
  }

  /** The node that leads now, by its own word; of several (one is cut off) that of the highest term. */
  async leader(deadlineMs = LEADER_DEADLINE_MS): Promise<NodeProcess> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const leader = await this.leaderNow();
      if (leader !== null) return leader;
      if (performance.now() > deadline) {
        throw new Error(`No node of the cluster led within ${deadlineMs} ms`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async leaderNow(): Promise<NodeProcess | null> {
    const running = this.nodes.filter((node) => node.running);
    const answers = await Promise.all(
      running.map(async (node) => {
        const raft = await node.status().then(
          (status) => status.raft,
          () => null,
        );
        return { node, raft };
      }),
    );
    let best: { node: NodeProcess; term: number } | null = null;
    for (const { node, raft } of answers) {
      if (raft?.role === "leader" && raft.term > (best?.term ?? 0))
        best = { node, term: raft.term };
    }
    return best?.node ?? null;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

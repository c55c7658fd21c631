/** A binraft node as a process of its own, started by its command line and asked over HTTP. */
import type { ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { ClusterStatus, NodeStatus, ReplicaStatus } from "../src/cluster/operations.ts";
import { gone, sendSignal, spawnTracked } from "./mysql/children.ts";
import { freePort } from "./mysql/server.ts";
import { commandOf, mainOf, OWN_RUNTIME, type Runtime } from "./runtimes.ts";

const READY_DEADLINE_MS = 300_000;
const POLL_MS = 10;
/** A node that is stopped (SIGSTOP) takes connections and never answers. */
const ANSWER_MS = 30_000;

export interface NodeProcessOptions {
  /** Holds configuration, secrets, log and data. */
  readonly folder: string;
  /** The lines of [source], and further sections. */
  readonly toml: string;
  readonly account: { readonly user: string; readonly password: string };
  readonly nodeArgs?: readonly string[];
  /** That of the process that starts it when absent. */
  readonly runtime?: Runtime;
  /** "demo" when absent. */
  readonly name?: string;
  readonly region?: string;
  /** Where its peers reach it, when it is one of a cluster; [cluster] itself is in `toml`. */
  readonly peerPort?: number;
  /** Not inside `folder` when a test puts it on a disk of its own. */
  readonly dataDir?: string;
  /** As on a machine of its own: its address, the standard ports, and the rest from its environment. */
  readonly machine?: NodeMachine;
}

export interface NodeMachine {
  readonly host: string;
  readonly env: Readonly<Record<string, string>>;
}

const STANDARD_PORTS = { mysql: 3307, peer: 4306, admin: 8306 } as const;

export class NodeProcess {
  readonly name: string;
  readonly folder: string;
  readonly dataDir: string;
  readonly mysqlPort: number;
  readonly adminPort: number;
  readonly peerPort: number | null;
  readonly runtime: Runtime;
  readonly host: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #nodeArgs: readonly string[];
  /** What `launch` runs: another version of binraft when a test says so. */
  main: string;
  #child: ChildProcess | null = null;

  private constructor(options: NodeProcessOptions, mysqlPort: number, adminPort: number) {
    this.name = options.name ?? "demo";
    this.folder = options.folder;
    this.dataDir = options.dataDir ?? path.join(options.folder, "data");
    this.peerPort = options.peerPort ?? null;
    this.host = options.machine?.host ?? "127.0.0.1";
    this.#env = options.machine?.env ?? {};
    this.runtime = options.runtime ?? OWN_RUNTIME;
    this.main = mainOf(this.runtime);
    this.#nodeArgs = options.nodeArgs ?? ["--max-semi-space-size=1"];
    this.mysqlPort = mysqlPort;
    this.adminPort = adminPort;
  }

  /** Writes the configuration; `start` starts. */
  static async create(options: NodeProcessOptions): Promise<NodeProcess> {
    const { folder, account, machine, region } = options;
    await mkdir(folder, { recursive: true });
    const { mysql, peer, admin } = STANDARD_PORTS;
    const node =
      machine === undefined
        ? new NodeProcess(options, await freePort(), await freePort())
        : new NodeProcess({ ...options, peerPort: peer }, mysql, admin);
    const named = machine === undefined ? `name = "${node.name}"` : "";
    const passwordFile = path.join(folder, "replica-password");
    await writeFile(passwordFile, account.password, { mode: 0o600 });
    await writeFile(
      path.join(folder, "binraft.toml"),
      `[node]
${named}
data_dir = ${JSON.stringify(node.dataDir)}
${region === undefined ? "" : `region = "${region}"`}
[listen]
mysql = "${node.host}:${node.mysqlPort}"
admin = "${node.host}:${node.adminPort}"
${node.peerPort === null ? "" : `peer = "${node.host}:${node.peerPort}"`}
[accounts]
${account.user} = { password_file = ${JSON.stringify(passwordFile)}, native = true }
${options.toml}
`,
    );
    return node;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }
  get logFile(): string {
    return path.join(this.folder, "binraft.log");
  }

  get adminUrl(): string {
    return `http://${this.host}:${this.adminPort}`;
  }

  get configFile(): string {
    return path.join(this.folder, "binraft.toml");
  }
  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** `launch` and `untilReady`. */
  async start(args: readonly string[] = []): Promise<void> {
    this.launch(args);
    await this.untilReady();
  }

  /** Starts the process and does not wait for it. `args` are further ones of the command line. */
  launch(args: readonly string[] = []): void {
    const write = [this.folder, this.dataDir];
    const { file, args: first } = commandOf(this.runtime, this.main, {
      write,
      nodeArgs: this.#nodeArgs,
    });
    const command = [...first, "start", "--config", this.configFile, ...args];
    const child = spawnTracked(
      { file, args: command, env: this.#env },
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const log = createWriteStream(this.logFile, { flags: "a" });
    child.stdout!.pipe(log, { end: false });
    child.stderr!.pipe(log, { end: false });
    this.#child = child;
  }

  /** Resolves once it is ready; rejects with its last words when it ends instead. */
  async untilReady(deadlineMs = READY_DEADLINE_MS): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (!(await this.ready())) {
      if (!this.running || performance.now() > deadline) {
        throw new Error(`${this.name} did not become ready: ${(await this.said()).slice(-2000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** The exit code of a process that ends by itself; null when it did not within the deadline. */
  async ended(deadlineMs: number): Promise<number | null> {
    const child = this.#child;
    if (child === null || !(await gone(child, deadlineMs))) return null;
    this.#child = null;
    return child.exitCode;
  }

  /** All that it has logged, over all starts. */
  said(): Promise<string> {
    return readFile(this.logFile, "utf8").catch(() => "");
  }

  async ready(): Promise<boolean> {
    try {
      const response = await fetch(`${this.adminUrl}/readyz`, {
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      return response.ok;
    } catch {
      return false;
    }
  }

  /** SIGKILL: nothing is flushed, nothing said. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  /** SIGSTOP: it holds its connections and says nothing, until `resume`. */
  pause(): void {
    if (this.#child !== null) sendSignal(this.#child, "SIGSTOP");
  }

  resume(): void {
    if (this.#child !== null) sendSignal(this.#child, "SIGCONT");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return null;
    sendSignal(child, signal);
    if (!(await gone(child, 30_000))) {
      sendSignal(child, "SIGKILL");
      await gone(child, 10_000);
    }
    return child.exitCode;
  }

  async fetch(route: string, init: RequestInit = {}): Promise<Response> {
    const token =
      this.#env["BINRAFT_ADMIN_TOKEN"] ??
      (await readFile(path.join(this.dataDir, "admin-token"), "utf8")).trim();
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    return fetch(`${this.adminUrl}${route}`, { ...init, headers });
  }

  async #get<T>(route: string): Promise<T> {
    const response = await this.fetch(route, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw new Error(`GET ${route}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  status(): Promise<NodeStatus> {
    return this.#get("/v1/status");
  }

  /** As this node sees it. */
  cluster(): Promise<ClusterStatus> {
    return this.#get("/v1/cluster");
  }

  async replicas(): Promise<readonly ReplicaStatus[]> {
    return (await this.#get<{ items: readonly ReplicaStatus[] }>("/v1/replicas")).items;
  }

  async exportFile(name: string): Promise<Uint8Array> {
    const response = await this.fetch(`/v1/binlogs/${name}/raw`);
    if (!response.ok) throw new Error(`GET /v1/binlogs/${name}/raw: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  }
}

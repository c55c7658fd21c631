/** A binraft node as a process of its own, started by its command line and asked over HTTP. */
import type { ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import type { NodeStatus } from "../src/cluster/operations.ts";
import { gone, spawnTracked } from "./mysql/children.ts";
import { freePort } from "./mysql/server.ts";

const extension = path.extname(import.meta.filename);
/** The entry beside us: TypeScript in a checkout, JavaScript in the package. */
export const MAIN: string = path.join(import.meta.dirname, `../runtime/node/main${extension}`);
const READY_DEADLINE_MS = 60_000;
const POLL_MS = 10;

export interface NodeProcessOptions {
  /** Holds configuration, secrets, log and data. */
  readonly folder: string;
  /** The lines of [source], and further sections. */
  readonly toml: string;
  readonly account: { readonly user: string; readonly password: string };
  readonly nodeArgs?: readonly string[];
}

export class NodeProcess {
  readonly folder: string;
  readonly mysqlPort: number;
  readonly adminPort: number;
  readonly #nodeArgs: readonly string[];
  #child: ChildProcess | null = null;

  private constructor(options: NodeProcessOptions, mysqlPort: number, adminPort: number) {
    this.folder = options.folder;
    this.#nodeArgs = options.nodeArgs ?? ["--max-semi-space-size=1"];
    this.mysqlPort = mysqlPort;
    this.adminPort = adminPort;
  }

  /** Writes the configuration; `start` starts. */
  static async create(options: NodeProcessOptions): Promise<NodeProcess> {
    const { folder, account } = options;
    await mkdir(folder, { recursive: true });
    const node = new NodeProcess(options, await freePort(), await freePort());
    const passwordFile = path.join(folder, "replica-password");
    await writeFile(passwordFile, account.password, { mode: 0o600 });
    await writeFile(
      path.join(folder, "binraft.toml"),
      `[node]
name = "demo"
data_dir = ${JSON.stringify(node.dataDir)}
[listen]
mysql = "127.0.0.1:${node.mysqlPort}"
admin = "127.0.0.1:${node.adminPort}"
[accounts]
${account.user} = { password_file = ${JSON.stringify(passwordFile)}, native = true }
${options.toml}
`,
    );
    return node;
  }

  get dataDir(): string {
    return path.join(this.folder, "data");
  }
  get pid(): number {
    return this.#child?.pid ?? 0;
  }
  get logFile(): string {
    return path.join(this.folder, "binraft.log");
  }

  /** Resolves once it is ready; rejects with its last words when it ends instead. */
  async start(): Promise<void> {
    const config = path.join(this.folder, "binraft.toml");
    const args = [...this.#nodeArgs, MAIN, "start", "--config", config];
    const child = spawnTracked(
      { file: process.execPath, args },
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const log = createWriteStream(this.logFile, { flags: "a" });
    child.stdout!.pipe(log, { end: false });
    child.stderr!.pipe(log, { end: false });
    this.#child = child;
    const deadline = performance.now() + READY_DEADLINE_MS;
    while (!(await this.#ready())) {
      if (child.exitCode !== null || performance.now() > deadline) {
        const said = await readFile(this.logFile, "utf8").catch(() => "");
        throw new Error(`binraft did not become ready: ${said.slice(-2000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async #ready(): Promise<boolean> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.adminPort}/readyz`);
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

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    if (child === null) return null;
    child.kill(signal);
    if (!(await gone(child, 30_000))) {
      child.kill("SIGKILL");
      await gone(child, 10_000);
    }
    return child.exitCode;
  }

  async fetch(route: string, init: RequestInit = {}): Promise<Response> {
    const token = (await readFile(path.join(this.dataDir, "admin-token"), "utf8")).trim();
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    return fetch(`http://127.0.0.1:${this.adminPort}${route}`, { ...init, headers });
  }

  async status(): Promise<NodeStatus> {
    const response = await this.fetch("/v1/status");
    if (!response.ok)
      throw new Error(`GET /v1/status: ${response.status} ${await response.text()}`);
    return (await response.json()) as NodeStatus;
  }

  async exportFile(name: string): Promise<Uint8Array> {
    const response = await this.fetch(`/v1/binlogs/${name}/raw`);
    if (!response.ok) throw new Error(`GET /v1/binlogs/${name}/raw: ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  }
}

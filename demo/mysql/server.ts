/**
 * A real database server in a folder of its own, on 127.0.0.1, driven through the real client:
 * for the demo and for end-to-end tests. `create` makes the data directory; `start`, `stop`,
 * `kill` and `restart` keep folder and port. The folder is removed only by `remove`, and only
 * once the process is gone. Sets up no users and no replication: that is plain SQL.
 */
import type { ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import * as fs from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { gone, sendSignal, spawnTracked } from "./children.ts";
import { type Flavour, makeDataDir, mysqlFlavour, systemUser } from "./flavour.ts";
import { findMysql } from "./install.ts";
import { MysqlShell } from "./shell.ts";

const START_DEADLINE_MS = 300_000;
const STOP_DEADLINE_MS = 300_000;
const POLL_MS = 20;
const ATTEMPTS = 3;
/** Below the range that the kernel hands out for outgoing connections. */
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;
/** Unix socket names are cut at 107 bytes. */
const LONGEST_SOCKET = 100;

export interface MysqlServerOptions {
  /** The server's folder; made, and a new one in the system's temporary folder when absent. */
  readonly folder?: string;
  readonly serverId: number;
  readonly port?: number;
  /** On when absent. */
  readonly gtid?: boolean;
  /** Further options of mysqld; of an option given twice the last counts. */
  readonly args?: readonly string[];
  /** The kind of server; MySQL 9 (or BINRAFT_MYSQLD) when absent. */
  readonly flavour?: Flavour;
}

export class MysqlServer {
  readonly folder: string;
  readonly serverId: number;
  readonly flavour: Flavour;
  readonly host = "127.0.0.1";
  readonly #options: MysqlServerOptions;
  readonly #socket: string;
  readonly #shells = new Set<MysqlShell>();
  readonly #main: MysqlShell;
  #port: number;
  #child: ChildProcess | null = null;

  /** Makes the data directory (a few hundred milliseconds); does not start. */
  static async create(options: MysqlServerOptions): Promise<MysqlServer> {
    const flavour = options.flavour ?? mysqlFlavour(await findMysql());
    const folder = path.resolve(
      options.folder ?? (await fs.mkdtemp(path.join(os.tmpdir(), "binraft-mysql-"))),
    );
    await fs.mkdir(folder, { recursive: true });
    await makeDataDir(flavour, path.join(folder, "data"));
    let socket = path.join(folder, "mysqld.sock");
    if (socket.length > LONGEST_SOCKET) {
      socket = path.join(await fs.mkdtemp(path.join(os.tmpdir(), "binraft-")), "mysqld.sock");
    }
    const port = options.port ?? (await freePort());
    return new MysqlServer(options, flavour, folder, socket, port);
  }

  /** `create` and `start`. */
  static async start(options: MysqlServerOptions): Promise<MysqlServer> {
    const server = await MysqlServer.create(options);
    await server.start();
    return server;
  }

  private constructor(
    options: MysqlServerOptions,
    flavour: Flavour,
    folder: string,
    socket: string,
    port: number,
  ) {
    this.#options = options;
    this.flavour = flavour;
    this.folder = folder;
    this.serverId = options.serverId;
    this.#socket = socket;
    this.#port = port;
    this.#main = this.openShell();
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** The data directory, where the binlog files are. */
  get binlogDir(): string {
    return path.join(this.folder, "data");
  }

  get #logFile(): string {
    return path.join(this.folder, "error.log");
  }

  errorLog(): Promise<string> {
    return fs.readFile(this.#logFile, "utf8").catch(() => "");
  }

  async start(extraArgs: readonly string[] = []): Promise<void> {
    if (this.#child !== null) throw new Error(`${this.#label} is already running`);
    for (let attempt = 1; ; attempt++) {
      const said = await this.#tryStart(extraArgs);
      if (said === null) return;
      const taken = /Address already in use|Bind on TCP\/IP port/i.test(said);
      if (!taken || this.#options.port !== undefined || attempt === ATTEMPTS) {
        throw new Error(`${this.#label} did not start: ${said}`);
      }
      this.#port = await freePort();
    }
  }

  /** SIGTERM, then waits until the process is gone. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** SIGKILL, then waits until the process is gone: as after a crash. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async restart(extraArgs: readonly string[] = []): Promise<void> {
    await this.stop();
    await this.start(extraArgs);
  }

  /** Kills the process if it runs, then removes the folder. */
  async remove(): Promise<void> {
    await this.kill();
    await fs.rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
    if (!this.#socket.startsWith(this.folder)) {
      await fs.rm(path.dirname(this.#socket), { recursive: true, force: true });
    }
  }

  /** One statement as root through the unix socket; rows as text, NULL as "NULL". */
  query(sql: string, deadlineMs?: number): Promise<string[][]> {
    return this.#main.query(sql, deadlineMs);
  }

  /** Statements whose rows nobody wants; stops at no error but reports the first. */
  async exec(sql: string, deadlineMs?: number): Promise<void> {
    await this.#main.query(sql, deadlineMs);
  }

  async execFile(file: string, deadlineMs?: number): Promise<void> {
    await this.exec(await fs.readFile(file, "utf8"), deadlineMs);
  }

  /** The first column of the first row. */
  async value(sql: string): Promise<string> {
    const value = (await this.query(sql))[0]?.[0];
    if (value === undefined) throw new Error(`${this.#label} gave no row for: ${sql}`);
    return value;
  }

  /** Another session, for concurrent statements; it ends with the server. */
  openShell(): MysqlShell {
    const login = ["--no-defaults", "--user=root", `--socket=${this.#socket}`];
    const shell = new MysqlShell(
      this.flavour.client([...login, "--default-character-set=utf8mb4"]),
    );
    this.#shells.add(shell);
    return shell;
  }

  /** MySQL 8.0.26 and newer: the plugin of one side, switched on. */
  async installSemisync(side: "source" | "replica"): Promise<void> {
    const plugin = `rpl_semi_sync_${side}`;
    await this.exec(`INSTALL PLUGIN ${plugin} SONAME 'semisync_${side}.so'`);
    await this.exec(`SET GLOBAL ${plugin}_enabled = 1`);
  }

  /** As a source: commits wait for an ACK, an hour if need be, rather than go on without anybody noticing. */
  async waitForAcks(): Promise<void> {
    await this.installSemisync("source");
    await this.exec("SET GLOBAL rpl_semi_sync_source_timeout = 3600000");
  }

  get #label(): string {
    return `${this.flavour.label} on port ${this.#port}`;
  }

  /** Null once it is ready, else the reason it is not. */
  async #tryStart(extraArgs: readonly string[]): Promise<string | null> {
    const data = path.join(this.folder, "data");
    const args = [
      "--no-defaults",
      `--user=${systemUser()}`,
      `--datadir=${data}`,
      `--socket=${this.#socket}`,
      `--port=${this.#port}`,
      `--bind-address=${this.host}`,
      `--pid-file=${path.join(this.folder, "mysqld.pid")}`,
      `--log-error=${this.#logFile}`,
      `--server-id=${this.serverId}`,
      "--log-bin=binlog",
      ...this.flavour.serverArgs,
      ...((this.#options.gtid ?? true) ? this.flavour.gtidArgs : []),
      ...(this.#options.args ?? []),
      ...extraArgs,
    ];
    const before = (await this.errorLog()).length;
    const child = spawnTracked(this.flavour.server(args), {
      cwd: this.folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    let complaint = "";
    child.stderr!.on("data", (text: Uint8Array) => {
      complaint += text.toString();
    });
    child.once("error", (error) => {
      complaint += error.message;
    });
    child.once("exit", () => {
      if (this.#child === child) this.#child = null;
    });
    const deadline = performance.now() + START_DEADLINE_MS;
    while (performance.now() < deadline) {
      const log = (await this.errorLog()).slice(before);
      // Also said without a port, by the thread for the X plugin and before recovery is over.
      if (new RegExp(`ready for connections[\\s\\S]*port: ${this.#port}\\b`).test(log)) return null;
      if (this.#child === null || child.pid === undefined) {
        return lastErrors(log) || complaint.trim() || "it ended without a word";
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    await this.#end("SIGKILL");
    return `not ready in ${START_DEADLINE_MS} ms`;
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    // An orderly shutdown waits two seconds for sessions that are open; a crash waits for nobody.
    if (signal === "SIGTERM") await this.#closeShells();
    const child = this.#child;
    if (child !== null) {
      sendSignal(child, signal);
      if (!(await gone(child, STOP_DEADLINE_MS))) {
        sendSignal(child, "SIGKILL");
        await gone(child, STOP_DEADLINE_MS);
      }
      this.#child = null;
    }
    await this.#closeShells();
  }

  async #closeShells(): Promise<void> {
    await Promise.all([...this.#shells].map((shell) => shell.close()));
  }
}

function lastErrors(log: string): string {
  const lines = log.split("\n").filter((line) => line.includes("[ERROR]"));
  return lines.slice(-3).join(" | ");
}

/** What was given here and may not be listened on yet. */
const given = new Set<number>();

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (given.has(port)) continue;
    const free = await new Promise<boolean>((resolve) => {
      const probe = net.createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (!free) continue;
    given.add(port);
    return port;
  }
  throw new Error("Found no free port on 127.0.0.1 in 100 attempts");
}

/** The live table: what flows, who leads, and a line for each node. */
import type { ClusterProcesses } from "./cluster-processes.ts";
import type { Load } from "./load.ts";
import type { NodeProcess } from "./node-process.ts";

const EVERY_MS = 1000;
/** Where lines stay, not every second is worth a block. */
const EVERY_MS_IN_A_FILE = 5000;

interface NodeLine {
  readonly applied: number;
  readonly role: string;
  readonly text: string;
}

export class LiveTable {
  readonly #cluster: ClusterProcesses;
  readonly #load: Load;
  readonly #say: (line: string) => void;
  /** Drawn again in place. */
  readonly #onTerminal: boolean;
  #timer: NodeJS.Timeout | null = null;
  #busy: Promise<void> = Promise.resolve();
  #began = 0;
  #last = { committed: 0, atMs: 0 };
  /** Lines of the last block, if nothing was said since. */
  #drawn = 0;

  constructor(
    cluster: ClusterProcesses,
    load: Load,
    { say, onTerminal }: { say: (line: string) => void; onTerminal: boolean },
  ) {
    this.#cluster = cluster;
    this.#load = load;
    this.#say = say;
    this.#onTerminal = onTerminal;
  }

  start(): void {
    this.#began = performance.now();
    this.#last = { committed: this.#load.committed, atMs: this.#began };
    const every = this.#onTerminal ? EVERY_MS : EVERY_MS_IN_A_FILE;
    this.#timer = setInterval(() => {
      this.#busy = this.#busy.then(() => this.#block());
    }, every);
  }

  mark(what: string): void {
    this.#drawn = 0;
    this.#say(`${this.#time()}  --- ${what}`);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#busy;
  }

  #time(): string {
    return `${((performance.now() - this.#began) / 1000).toFixed(1)} s`.padStart(7);
  }

  async #block(): Promise<void> {
    const { nodes } = this.#cluster;
    const lines = await Promise.all(nodes.map((node) => this.#node(node)));
    const ahead = Math.max(...lines.map((line) => line?.applied ?? 0));
    const text = nodes.map((node, at) => {
      const line = lines[at];
      const name = node.name.padEnd(8);
      if (!line) return `         ${name} ${node.running ? "does not answer" : "down"}`;
      const behind = String(ahead - line.applied).padStart(8);
      const applied = String(line.applied).padStart(8);
      return `         ${name} ${line.role.padEnd(10)} ${applied} ${behind}   ${line.text}`;
    });
    const block = [
      await this.#summary(),
      `         node     role        applied   behind`,
      ...text,
    ];
    const back = this.#onTerminal && this.#drawn > 0 ? `\x1b[${this.#drawn}A\x1b[J` : "";
    this.#drawn = block.length;
    this.#say(`${back}${block.join("\n")}`);
  }

  async #summary(): Promise<string> {
    const { committed, failed } = this.#load;
    const now = performance.now();
    const rate = ((committed - this.#last.committed) * 1000) / Math.max(1, now - this.#last.atMs);
    this.#last = { committed, atMs: now };
    const leader = await this.#cluster.leaderNow();
    const status = await leader?.status().catch(() => null);
    const failures = failed === 0 ? "" : `, ${failed} statements FAILED`;
    const flow = `${this.#time()}  ${committed} commits, ${Math.round(rate)} a second${failures}`;
    if (!status) return `${flow}; no leader`;
    const { state, reason } = status.syncer;
    const why = state === "RUNNING" ? "" : ` (${reason})`;
    return `${flow}; ${leader!.name} leads in term ${status.raft.term}, syncer ${state}${why}`;
  }

  async #node(node: NodeProcess): Promise<NodeLine | null> {
    if (!node.running) return null;
    try {
      const [status, replicas] = await Promise.all([node.status(), node.replicas()]);
      const mib = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
      const lags = replicas.map(({ lagBytes }) => `${lagBytes} bytes behind`).join(", ");
      const parts = [
        `binlog ${mib(status.stream.visibleBytes)} MiB`,
        `RSS ${mib(status.process.rssBytes)} MiB`,
        ...(lags === "" ? [] : [`replica ${lags}`]),
        ...status.alarms,
      ];
      const { role, applied } = status.raft;
      return {
        applied,
        role: role.toUpperCase() === "LEADER" ? "LEADER" : role,
        text: parts.join(", "),
      };
    } catch {
      return null;
    }
  }
}

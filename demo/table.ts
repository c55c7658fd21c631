/** The live table: one line a second of what flows from the source to the replicas. */
import type { Load } from "./load.ts";
import type { MysqlServer } from "./mysql/server.ts";
import type { NodeProcess } from "./node-process.ts";

const EVERY_MS = 1000;
const HEADER =
  "   time   commits  per s   binlog MiB   syncer       replicas behind (bytes)   node RSS MiB";

export class LiveTable {
  readonly #node: NodeProcess;
  readonly #load: Load;
  readonly #say: (line: string) => void;
  readonly #servers: number;
  #timer: NodeJS.Timeout | null = null;
  #busy: Promise<void> = Promise.resolve();
  #began = 0;
  #last = 0;
  #lines = 0;

  constructor(
    node: NodeProcess,
    replicas: readonly MysqlServer[],
    load: Load,
    say: (line: string) => void,
  ) {
    this.#node = node;
    this.#load = load;
    this.#say = say;
    this.#servers = replicas.length;
  }

  start(): void {
    this.#began = performance.now();
    this.#timer = setInterval(() => {
      this.#busy = this.#busy.then(() => this.#line());
    }, EVERY_MS);
  }

  mark(what: string): void {
    this.#say(`${this.#time()}   --- ${what}`);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#busy;
  }

  #time(): string {
    return `${((performance.now() - this.#began) / 1000).toFixed(1)} s`.padStart(7);
  }

  async #line(): Promise<void> {
    if (this.#lines++ % 20 === 0) this.#say(HEADER);
    const { committed } = this.#load;
    const rate = committed - this.#last;
    this.#last = committed;
    const start = `${this.#time()}  ${String(committed).padStart(8)}  ${String(rate).padStart(5)}`;
    try {
      const status = await this.#node.status();
      const replicas = (await (await this.#node.fetch("/v1/replicas")).json()) as {
        items?: { lagBytes: number }[];
      };
      const lags = (replicas.items ?? []).map((replica) => String(replica.lagBytes));
      while (lags.length < this.#servers) lags.push("away");
      const mib = (status.stream.visibleBytes / 1_048_576).toFixed(2).padStart(11);
      const rss = String(Math.round(status.process.rssBytes / 1_048_576));
      const { state, reason } = status.syncer;
      const flow = `${start}  ${mib}   ${state.padEnd(11)}  ${lags.join("  ").padEnd(24)}  ${rss}`;
      this.#say(state === "RUNNING" ? flow : `${flow}  ${reason}`);
    } catch {
      this.#say(`${start}  ${"".padStart(11)}   the node does not answer`);
    }
  }
}

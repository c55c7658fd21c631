/** What nodes, commits and honest clients did in a stretch of time, and whether an attack may do that. */
import { readdir, readFile } from "node:fs/promises";
import type { Seen } from "./abuse-witness.ts";
import { percentile } from "./cluster-rounds.ts";
import type { MysqlCluster } from "./mysql-cluster.ts";

/** Beyond so many the older half is forgotten. */
const KEPT = 400_000;
const COLLECTING_MS = 1_500;
const MOST_SILENCE_MS = 1_000;
const MOST_DELAY = 3;
const MOST_MEMORY = 1.1;
const WORKS = ["login", "admin", "link"] as const;

export interface Stretch {
  /** Of all nodes' live replicas. */
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  readonly silenceMs: number;
  readonly commitsPerSecond: number;
  /** By kind: how many came about, the slowest of them, and what the others failed with. */
  readonly works: Readonly<Record<string, { ok: number; failed: string[]; maxMs: number }>>;
}

export interface Memory {
  readonly [node: string]: number;
}

export class Watch {
  readonly #made: MysqlCluster;
  #seen: Seen[] = [];

  constructor(made: MysqlCluster) {
    this.#made = made;
  }

  take(line: string): void {
    this.#seen.push(...(JSON.parse(line) as Seen[]));
    if (this.#seen.length > KEPT) this.#seen = this.#seen.slice(KEPT / 2);
  }

  /** On the wall, milliseconds. */
  between(fromMs: number, untilMs: number): Stretch {
    const seen = this.#seen.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs);
    const delays = seen.filter((one) => one.what === "delay");
    const ms = delays.filter(({ error }) => error === undefined).map((one) => one.ms);
    const works: Record<string, { ok: number; failed: string[]; maxMs: number }> = {};
    for (const kind of WORKS) {
      const of = seen.filter((one) => one.what === kind);
      const failed = of.filter(({ error }) => error !== undefined);
      works[kind] = {
        ok: of.length - failed.length,
        failed: failed.map(({ node, error }) => `${node}: ${error}`),
        maxMs: Math.round(Math.max(0, ...of.map((one) => one.ms))),
      };
    }
    const broken = delays.filter(({ error }) => error !== undefined);
    if (broken.length > 0) {
      const failed = broken.map(({ node, error }) => `${node}: ${error}`);
      works["stream"] = { ok: ms.length, failed, maxMs: 0 };
    }
    const { load } = this.#made;
    const offset = performance.timeOrigin;
    return {
      delayP50Ms: percentile(ms, 50),
      delayP99Ms: percentile(ms, 99),
      silenceMs: Math.round(load.longestSilence(fromMs - offset, untilMs - offset).ms),
      commitsPerSecond: Math.round(ms.length / 3 / ((untilMs - fromMs) / 1000)),
      works,
    };
  }

  /** What each node holds once its garbage is collected; it stands still for that. */
  async heldMemory(): Promise<Memory> {
    for (const { pid } of this.#made.cluster.nodes) process.kill(pid, "SIGUSR2");
    await new Promise((resolve) => setTimeout(resolve, COLLECTING_MS));
    return this.memory();
  }

  /** Resident bytes by node, MiB. */
  async memory(): Promise<Memory> {
    const { nodes } = this.#made.cluster;
    const told = nodes.map(async ({ name, pid }) => {
      const status = await readFile(`/proc/${pid}/status`, "utf8");
      return [name, Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)] as const;
    });
    return Object.fromEntries(await Promise.all(told));
  }
}

export async function openHandles(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** The hard limit. */
export async function mostHandles(pid: number): Promise<string> {
  const limits = await readFile(`/proc/${pid}/limits`, "utf8");
  return /Max open files\s+\d+\s+(\d+)/.exec(limits)?.[1] ?? "1024";
}

/** By more than a tenth, of all nodes together. */
export function hasGrownInAll(before: Memory, after: Memory): boolean {
  const sum = (memory: Memory): number => Object.values(memory).reduce((a, b) => a + b, 0);
  return sum(after) > sum(before) * MOST_MEMORY;
}

/** By more than a tenth, on any node. */
export function hasGrown(before: Memory, after: Memory): boolean {
  return Object.entries(after).some(([name, mib]) => mib > before[name]! * MOST_MEMORY);
}

/** Sentences of what must not be; none when the attack came to nothing. */
export function faultsOf(calm: Stretch, attack: Stretch, worksCount: boolean): string[] {
  const faults: string[] = [];
  if (attack.silenceMs > MOST_SILENCE_MS) faults.push(`no commit for ${attack.silenceMs} ms`);
  if (attack.delayP99Ms > MOST_DELAY * calm.delayP99Ms) {
    faults.push(`delay p99 ${attack.delayP99Ms} ms instead of ${calm.delayP99Ms} ms`);
  }
  if (!worksCount) return faults;
  for (const [kind, { ok, failed }] of Object.entries(attack.works)) {
    if (failed.length > 0) faults.push(`${kind} failed ${failed.length} times: ${failed[0]}`);
    if (ok === 0) faults.push(`no ${kind} came about`);
  }
  return faults;
}

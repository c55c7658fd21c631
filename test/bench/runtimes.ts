/**
 * One node on Node, Bun and Deno, side by side: each pulls the same source and serves what it has, in turns
 * (A B C A B C), so that what else the machine does is everybody's. Figures are medians of the rounds.
 */
import { rm } from "node:fs/promises";
import path from "node:path";
import type { MysqlServer } from "../../demo/mysql/server.ts";
import { NodeProcess } from "../../demo/node-process.ts";
import { RUNTIMES, type Runtime } from "../../demo/runtimes.ts";
import { ACCOUNT, SOURCE_USER } from "../support/local-node.ts";
import { whyNot } from "../support/runtimes.ts";
import type { ClusterBench } from "./cluster.ts";
import { cpuMs, peakRssMiB, runDrain, serve } from "./measure.ts";
import { benchToml, fill, ingest, newSource, ratio } from "./source.ts";

/** At least so much of what Node does. */
const TARGET = 0.7;
const JOBS = ["ingest", "serve to 1 replica", "serve to 16 replicas in sum"] as const;
type Job = (typeof JOBS)[number];

interface Figures {
  readonly mbPerSecond: number;
  readonly cpuSecondsPerGb: number;
  /** The highest since the node's start. */
  readonly peakMiB: number;
}
type Round = Readonly<Record<Job, Figures>>;

export async function runtimeRows(
  bench: ClusterBench & { readonly rounds: number },
): Promise<readonly string[]> {
  const { folder, row, rounds } = bench;
  const runtimes = RUNTIMES.filter((runtime) => whyNot(runtime) === false);
  const versions = new Map<Runtime, string>();
  for (const [kind, count, valueBytes] of [
    ["small", bench.small, 190],
    ["bulk", bench.bulk, 1024 * 1024],
  ] as const) {
    const source = await newSource(folder, kind === "small" ? 21 : 22);
    console.log(`Filling the source with ${count} transactions of ${valueBytes} bytes`);
    await fill(source, count, valueBytes);
    // Its log is read once before anybody is measured.
    await runDrain({ port: source.port, ...SOURCE_USER, gtids: "", bytes: 0, clients: 1 });
    const all = new Map<Runtime, Round[]>(runtimes.map((runtime) => [runtime, []]));
    for (let round = 1; round <= rounds; round++) {
      for (const runtime of runtimes) {
        const node = await startOn(runtime, folder, source);
        versions.set(runtime, (await node.status()).node.runtime);
        const figures = await measure(node, source);
        all.get(runtime)!.push(figures);
        const said = JOBS.map((job) => `${job} ${Math.round(figures[job].mbPerSecond)} MB/s`);
        console.log(`      ${runtime}, ${kind}, round ${round}: ${said.join(", ")}`);
        await node.stop();
        await rm(node.folder, { recursive: true });
      }
    }
    for (const job of JOBS) {
      const node = medians(all.get("node")!, job);
      for (const runtime of runtimes.filter((one) => one !== "node")) {
        const other = medians(all.get(runtime)!, job);
        row(
          `${runtime}: ${job}, ${kind} transactions`,
          `${TARGET} × Node`,
          `${ratio(other.mbPerSecond, node.mbPerSecond)}: ${told(other)}`,
          told(node),
          other.mbPerSecond >= TARGET * node.mbPerSecond,
        );
      }
    }
    await source.remove();
  }
  return [...versions.values()];
}

async function startOn(
  runtime: Runtime,
  folder: string,
  source: MysqlServer,
): Promise<NodeProcess> {
  const node = await NodeProcess.create({
    folder: path.join(folder, runtime),
    runtime,
    account: ACCOUNT,
    toml: await benchToml(folder, source),
  });
  await node.start();
  return node;
}

async function measure(node: NodeProcess, source: MysqlServer): Promise<Round> {
  const { pid } = node;
  const pulled = await ingest(node, source);
  const ingested: Figures = {
    mbPerSecond: pulled.bytes / 1e6 / pulled.seconds,
    cpuSecondsPerGb: cpuMs(pid) / 1000 / (pulled.bytes / 1e9),
    peakMiB: peakRssMiB(pid),
  };
  const request = { port: node.mysqlPort, ...ACCOUNT, gtids: "", bytes: 0 };
  const served = async (clients: number): Promise<Figures> => {
    const { mbPerSecond, cpuSecondsPerGb } = await serve(pid, { ...request, clients }, 1);
    return { mbPerSecond, cpuSecondsPerGb, peakMiB: peakRssMiB(pid) };
  };
  return {
    ingest: ingested,
    "serve to 1 replica": await served(1),
    "serve to 16 replicas in sum": await served(16),
  };
}

function medians(rounds: readonly Round[], job: Job): Figures {
  const median = (of: (figures: Figures) => number): number =>
    rounds.map((round) => of(round[job])).sort((a, b) => a - b)[rounds.length >> 1]!;
  return {
    mbPerSecond: median((figures) => figures.mbPerSecond),
    cpuSecondsPerGb: median((figures) => figures.cpuSecondsPerGb),
    peakMiB: median((figures) => figures.peakMiB),
  };
}

function told({ mbPerSecond, cpuSecondsPerGb, peakMiB }: Figures): string {
  const speed = `${Math.round(mbPerSecond)} MB/s`;
  return `${speed}, ${cpuSecondsPerGb.toFixed(2)} CPU-s/GB, peak RSS ${Math.round(peakMiB)} MiB`;
}

/** Three voters on one machine against one node: what the quorum costs. */
import path from "node:path";
import { ClusterProcesses } from "../../demo/cluster-processes.ts";
import type { MysqlServer } from "../../demo/mysql/server.ts";
import type { NodeProcess } from "../../demo/node-process.ts";
import { ACCOUNT, SOURCE_USER } from "../support/local-node.ts";
import { liveDelay } from "./live.ts";
import { cpuMs, peakRssMiB } from "./measure.ts";
import { benchToml, durableWriteMs, fill, ingest, newSource, ratio } from "./source.ts";

export interface ClusterBench {
  readonly folder: string;
  readonly small: number;
  readonly bulk: number;
  readonly row: (
    what: string,
    target: string,
    measured: string,
    peer: string,
    met: boolean | null,
  ) => void;
}

interface Pulled {
  readonly seconds: number;
  readonly bytes: number;
  readonly cpuSecondsPerGb: number;
  readonly peakMiB: number;
}

export async function clusterRows(bench: ClusterBench): Promise<void> {
  const { folder, row } = bench;
  for (const [name, count, valueBytes] of [
    ["small", bench.small, 190],
    ["bulk", bench.bulk, 1024 * 1024],
  ] as const) {
    const source = await newSource(folder, name === "small" ? 11 : 12);
    console.log(`Filling the source with ${count} transactions of ${valueBytes} bytes`);
    await fill(source, count, valueBytes);
    const one = await run(bench, source, `one-${name}`, 1);
    const three = await run(bench, source, `three-${name}`, 3);
    const [speed, base] = [
      three.pulled.bytes / three.pulled.seconds,
      one.pulled.bytes / one.pulled.seconds,
    ];
    row(
      `ingest by three voters, ${name} transactions`,
      "0.5 × one node, ≤ 3 × its CPU per GB",
      `${Math.round(speed / 1e6)} MB/s, ${ratio(speed, base)}, ${cpu(three)} ` +
        `(${ratio(three.pulled.cpuSecondsPerGb, one.pulled.cpuSecondsPerGb)}), ` +
        `peak RSS ${Math.round(three.pulled.peakMiB)} MiB`,
      `one node ${Math.round(base / 1e6)} MB/s, ${cpu(one)}`,
      speed >= 0.5 * base && three.pulled.cpuSecondsPerGb <= 3 * one.pulled.cpuSecondsPerGb,
    );
    await one.cluster.stop();
    if (name === "small") await delayRows(bench, source, three.cluster);
    await three.cluster.stop();
    await source.remove();
  }
}

const cpu = ({ pulled }: { readonly pulled: Pulled }): string =>
  `${pulled.cpuSecondsPerGb.toFixed(1)} CPU-s/GB`;

async function delayRows(
  { folder, row }: ClusterBench,
  source: MysqlServer,
  cluster: ClusterProcesses,
): Promise<void> {
  const leader = await cluster.leader();
  const other = cluster.nodes.find((node) => node !== leader)!;
  const direct = await liveDelay(source, { port: source.port, ...SOURCE_USER });
  const syncMs = await durableWriteMs(path.join(folder, "sync"));
  for (const [what, node] of [
    ["the leader", leader],
    ["a follower", other],
  ] as const) {
    const ours = await liveDelay(source, { port: node.mysqlPort, ...ACCOUNT });
    row(
      `live delay over three voters, from ${what}, p50 (p99)`,
      "direct + one quorum fsync + 0.7 ms",
      `${ours.p50.toFixed(2)} (${ours.p99.toFixed(2)}) ms`,
      `direct ${direct.p50.toFixed(2)} (${direct.p99.toFixed(2)}) ms, one fsync ${syncMs.toFixed(2)} ms`,
      ours.p50 <= direct.p50 + syncMs + 0.7,
    );
  }
}

async function run(
  { folder }: ClusterBench,
  source: MysqlServer,
  name: string,
  voters: number,
): Promise<{ cluster: ClusterProcesses; pulled: Pulled }> {
  const cluster = await ClusterProcesses.create({
    folder: path.join(folder, name),
    voters: Array.from({ length: voters }, (_, i) => `v${i + 1}`),
    account: ACCOUNT,
    toml: await benchToml(folder, source),
  });
  await cluster.start();
  const { seconds, bytes } = await ingest(await cluster.leader(), source);
  const cpu = cluster.nodes.reduce((sum, node) => sum + cpuMs(node.pid), 0) / 1000;
  const peakMiB = Math.max(...cluster.nodes.map((node: NodeProcess) => peakRssMiB(node.pid)));
  return { cluster, pulled: { seconds, bytes, cpuSecondsPerGb: cpu / (bytes / 1e9), peakMiB } };
}

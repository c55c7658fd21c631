/**
 * `npm run bench`: the Raft core by itself, then the single-node rows of the speed targets, each
 * against the source itself in the same run. Prints the rows and writes docs/benchmarks.md. Figures
 * of shared machines are noisy: read them as ratios.
 *
 *   npm run bench -- raft      the Raft core alone       npm run bench -- node      the node alone
 *   npm run bench -- cluster   three voters on this machine against one node
 *   npm run bench -- runtimes  one node on Node, Bun and Deno; --rounds N of each (default 3)
 *   --no-report  leaves docs/benchmarks.md as it is
 *   --small N   small transactions (default 1000000)   --bulk N   transactions of 1 MiB (default 1000)
 */
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import type { MysqlServer } from "../../demo/mysql/server.ts";
import { NodeProcess } from "../../demo/node-process.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { ACCOUNT, SOURCE_USER } from "../support/local-node.ts";
import { clusterRows } from "./cluster.ts";
import { idleReplicas } from "./idle.ts";
import { liveDelay } from "./live.ts";
import { cpuMs, deviceBytes, peakRssMiB, rssMiB, runDrain, serve } from "./measure.ts";
import { raftCore } from "./raft-core.ts";
import { type Part, type Row, writeReport } from "./report.ts";
import { runtimeRows } from "./runtimes.ts";
import { benchToml, durableWriteMs, fill, ingest, newSource, ratio } from "./source.ts";

const { values, positionals } = parseArgs({
  options: {
    small: { type: "string", default: "1000000" },
    bulk: { type: "string", default: "1000" },
    rounds: { type: "string", default: "3" },
    "no-report": { type: "boolean", default: false },
  },
  allowPositionals: true,
});
const PARTS: readonly string[] = ["raft", "node", "cluster", "runtimes"] satisfies Part[];
const unknown = positionals.find((name) => !PARTS.includes(name));
if (unknown !== undefined)
  throw new Error(`Unknown part "${unknown}": expected ${PARTS.join(", ")}`);
const isWanted = (part: Part): boolean => positionals.length === 0 || positionals.includes(part);
const SMALL = Number(values.small);
const BULK = Number(values.bulk);
const RUNS = 3;
const rows: Row[] = [];
const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-bench-"));

function row(
  what: string,
  target: string,
  measured: string,
  peer: string,
  met: boolean | null,
): void {
  rows.push({ what, target, measured, peer, met });
  console.log(
    `${met === null ? "    " : met ? "ok  " : "miss"}  ${what}: ${measured} (beside: ${peer}; at least ${target})`,
  );
}

async function report(...of: Parameters<typeof writeReport>): Promise<void> {
  if (!values["no-report"]) await writeReport(...of);
}

async function startNode(name: string, source: MysqlServer): Promise<NodeProcess> {
  const node = await NodeProcess.create({
    folder: path.join(folder, name),
    toml: await benchToml(folder, source),
    account: ACCOUNT,
  });
  await node.start();
  return node;
}

async function small(): Promise<void> {
  const source = await newSource(folder, 1);
  console.log(`Filling the source with ${SMALL} small transactions`);
  await fill(source, SMALL, 190);
  const own = { port: source.port, ...SOURCE_USER, gtids: "", bytes: 0 };
  const theirs1 = await serve(source.pid!, { ...own, clients: 1 }, RUNS);
  const drainSeconds = (await runDrain({ ...own, clients: 1 })).seconds;
  const deviceBefore = deviceBytes(folder);
  const node = await startNode("small", source);
  const pulled = await ingest(node, source);
  const deviceAfter = deviceBytes(folder);
  const status = await node.status();
  const perSecond = SMALL / pulled.seconds;
  const drained = SMALL / drainSeconds;
  row(
    "ingest, small transactions, real fsync",
    "0.8 × drain",
    `${Math.round(perSecond / 1000)} k/s, ${ratio(perSecond, drained)} drain, peak RSS ${Math.round(peakRssMiB(node.pid))} MiB`,
    `drain ${Math.round(drained / 1000)} k/s`,
    perSecond >= 0.8 * drained,
  );
  const factor = status.storage.appendedBytes / pulled.bytes;
  // The segment made ahead is of fixed size: it would distort a short run.
  const device =
    deviceBefore === null || deviceAfter === null
      ? Number.NaN
      : (deviceAfter - deviceBefore - 128 * 1024 * 1024) / pulled.bytes;
  row(
    "log bytes per binlog byte; to the device, less the 128 MiB segment made ahead",
    "≤ 1.1; ≤ 2.2",
    `${factor.toFixed(3)}; ${device.toFixed(2)}`,
    "1",
    factor <= 1.1 && device <= 2.2,
  );
  const ours = { port: node.mysqlPort, ...ACCOUNT, gtids: "", bytes: 0 };
  const ours1 = await serve(node.pid, { ...ours, clients: 1 }, RUNS);
  const theirs16 = await serve(source.pid!, { ...own, clients: 16 }, RUNS);
  const ours16 = await serve(node.pid, { ...ours, clients: 16 }, RUNS);
  const cpu = (a: { cpuSecondsPerGb: number }): string =>
    `${a.cpuSecondsPerGb.toFixed(2)} CPU-s/GB`;
  row(
    "serve small, 1 replica",
    "1.5 × the source, ≤ 0.4 × its CPU",
    `${Math.round(ours1.mbPerSecond)} MB/s, ${ratio(ours1.mbPerSecond, theirs1.mbPerSecond)}, ${cpu(ours1)}`,
    `${Math.round(theirs1.mbPerSecond)} MB/s, ${cpu(theirs1)}`,
    ours1.mbPerSecond >= 1.5 * theirs1.mbPerSecond &&
      ours1.cpuSecondsPerGb <= 0.4 * theirs1.cpuSecondsPerGb,
  );
  row(
    "serve small, 16 replicas in sum",
    "3 × the source, ≤ 0.4 × its CPU",
    `${Math.round(ours16.mbPerSecond)} MB/s, ${ratio(ours16.mbPerSecond, theirs16.mbPerSecond)}, ${cpu(ours16)}`,
    `${Math.round(theirs16.mbPerSecond)} MB/s, ${cpu(theirs16)}`,
    ours16.mbPerSecond >= 3 * theirs16.mbPerSecond &&
      ours16.cpuSecondsPerGb <= 0.4 * theirs16.cpuSecondsPerGb,
  );
  const executed = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
  const sid = executed.sids()[0]!;
  const skipTo = `${sid}:1-${executed.intervals(sid)[0]!.last - 5n}`;
  const skipOurs = await runDrain({ ...ours, clients: 1, gtids: skipTo });
  const skipTheirs = await runDrain({ ...own, clients: 1, gtids: skipTo });
  row(
    `reconnect that skips ${Math.round(SMALL / 1000)} k transactions in one file`,
    "first new event < 100 ms",
    `${Math.round(skipOurs.firstByteMs)} ms`,
    `${Math.round(skipTheirs.firstByteMs)} ms`,
    skipOurs.firstByteMs < 100,
  );
  const delayTheirs = await liveDelay(source, { port: source.port, ...SOURCE_USER });
  const delayOurs = await liveDelay(source, { port: node.mysqlPort, ...ACCOUNT });
  const syncMs = await durableWriteMs(path.join(folder, "sync"));
  row(
    "live delay p50 (p99)",
    "direct + one fsync + 0.3 ms",
    `${delayOurs.p50.toFixed(2)} (${delayOurs.p99.toFixed(2)}) ms`,
    `direct ${delayTheirs.p50.toFixed(2)} (${delayTheirs.p99.toFixed(2)}) ms, one fsync ${syncMs.toFixed(2)} ms`,
    delayOurs.p50 <= delayTheirs.p50 + syncMs + 0.3,
  );
  await node.kill();
  const killed = performance.now();
  await node.start();
  row(
    "start after kill -9, this log",
    "serving in < 3 s",
    `${Math.round(performance.now() - killed)} ms with ${Math.round(pulled.bytes / 1e6)} MB of log`,
    "—",
    null,
  );
  // On a node that has just started: what the collector has not yet taken is no replica's.
  const idle = await idleReplicas(node, ACCOUNT, 1000);
  row(
    "memory of an idle replica, 1,000 held",
    "≤ 64 KiB",
    `${idle.kibPerReplica.toFixed(0)} KiB, node ${Math.round(rssMiB(node.pid))} MiB`,
    "—",
    idle.held === 1000 && idle.kibPerReplica <= 64,
  );
  await node.stop();
  await source.remove();
}

async function bulk(): Promise<void> {
  const source = await newSource(folder, 2);
  console.log(`Filling the source with ${BULK} transactions of 1 MiB`);
  await fill(source, BULK, 1024 * 1024);
  const own = { port: source.port, ...SOURCE_USER, gtids: "", bytes: 0 };
  const theirs1 = await serve(source.pid!, { ...own, clients: 1 }, RUNS);
  const node = await startNode("bulk", source);
  const pulled = await ingest(node, source);
  const mb = pulled.bytes / 1e6 / pulled.seconds;
  row(
    "ingest, 1 MiB transactions",
    "450 MB/s where the disk allows",
    `${Math.round(mb)} MB/s, ${(cpuMs(node.pid) / 1000).toFixed(1)} CPU-s, peak RSS ${Math.round(peakRssMiB(node.pid))} MiB`,
    `drain ${Math.round(theirs1.mbPerSecond)} MB/s`,
    mb >= 450,
  );
  const ours = { port: node.mysqlPort, ...ACCOUNT, gtids: "", bytes: 0 };
  const ours1 = await serve(node.pid, { ...ours, clients: 1 }, RUNS);
  const theirs16 = await serve(source.pid!, { ...own, clients: 16 }, RUNS);
  const ours16 = await serve(node.pid, { ...ours, clients: 16 }, RUNS);
  row(
    "serve bulk, 1 replica",
    "0.8 × the source",
    `${Math.round(ours1.mbPerSecond)} MB/s, ${ratio(ours1.mbPerSecond, theirs1.mbPerSecond)}, ${ours1.cpuSecondsPerGb.toFixed(2)} CPU-s/GB`,
    `${Math.round(theirs1.mbPerSecond)} MB/s, ${theirs1.cpuSecondsPerGb.toFixed(2)} CPU-s/GB`,
    ours1.mbPerSecond >= 0.8 * theirs1.mbPerSecond,
  );
  row(
    "serve bulk, 16 replicas, bytes per CPU-second",
    "0.9 × the source's",
    `${Math.round(ours16.mbPerSecond)} MB/s, ${ours16.cpuSecondsPerGb.toFixed(2)} CPU-s/GB, ${ratio(theirs16.cpuSecondsPerGb, ours16.cpuSecondsPerGb)}`,
    `${Math.round(theirs16.mbPerSecond)} MB/s, ${theirs16.cpuSecondsPerGb.toFixed(2)} CPU-s/GB`,
    theirs16.cpuSecondsPerGb >= 0.9 * ours16.cpuSecondsPerGb,
  );
  console.log(`peak RSS of the node ${Math.round(peakRssMiB(node.pid))} MiB`);
  await node.stop();
  await source.remove();
}

try {
  if (isWanted("raft")) {
    for (const { what, target, measured, peer, met } of raftCore()) {
      row(what, target, measured, peer, met);
    }
    const about =
      "Cores in one thread and their logs in memory, with nothing between them but a list";
    await report("raft", about, rows.splice(0));
  }
  if (isWanted("node")) {
    await small();
    await bulk();
    const about =
      `${SMALL} small transactions of about 460 bytes, ${BULK} of 1 MiB; MySQL 9 as the source, on the\n` +
      "same machine. Each figure stands beside that of the source itself in the same run, read by the same\n" +
      "client, which counts bytes and looks at nothing. Cores and disk are shared with the source and the\n" +
      "client: read ratios, not absolute figures.";
    await report("node", about, rows.splice(0));
  }
  if (isWanted("cluster")) {
    await clusterRows({ folder, small: SMALL, bulk: BULK, row });
    const about =
      `${SMALL} small transactions and ${BULK} of 1 MiB, pulled by one node and by three voters; all of it on\n` +
      "this machine, links between nodes with TLS. Three nodes share the cores and the disk that one has to\n" +
      "itself: read ratios, not absolute figures.";
    await report("cluster", about, rows.splice(0));
  }
  if (isWanted("runtimes")) {
    const rounds = Number(values.rounds);
    const versions = await runtimeRows({ folder, small: SMALL, bulk: BULK, rounds, row });
    const about =
      `${SMALL} small transactions and ${BULK} of 1 MiB, pulled from the same source and served by one node on\n` +
      `each: ${versions.join(", ")}; in turns, ${rounds} times each, medians. The measuring client runs on Node\n` +
      "always. All of it on this machine: read ratios, not absolute figures.";
    await report("runtimes", about, rows.splice(0));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);

/** What must hold at the end of the demo; each check says what it compared. */
import { GtidSet } from "../src/gtid/gtid-set.ts";
import type { Load } from "./load.ts";
import type { MysqlServer } from "./mysql/server.ts";
import { differenceOf, rawFiles } from "./mysqlbinlog.ts";
import type { NodeProcess } from "./node-process.ts";
import { checksums, waitForReplica } from "./replica.ts";

export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface CheckContext {
  readonly source: MysqlServer;
  /** Of one cluster. */
  readonly nodes: readonly NodeProcess[];
  readonly replicas: readonly MysqlServer[];
  readonly load: Load;
  readonly account: { readonly user: string; readonly password: string };
  readonly puller: { readonly user: string; readonly password: string };
}

const CATCH_UP_MS = 600_000;

export async function runChecks(context: CheckContext): Promise<Check[]> {
  const checks: Check[] = [];
  const add = async (name: string, check: () => Promise<string>): Promise<void> => {
    try {
      checks.push({ name, ok: true, detail: await check() });
    } catch (error) {
      checks.push({ name, ok: false, detail: (error as Error).message });
    }
  };
  await add("nodes and replicas catch up", () => catchUp(context));
  await add("gtid_executed equal", () => sameExecuted(context));
  await add("CHECKSUM TABLE equal", () => sameChecksums(context));
  await add("files equal mysqlbinlog --raw", () => sameFiles(context));
  await add("no acknowledged commit lost", () => nothingLost(context));
  await add("no commit went unacknowledged", () => noFallback(context.source));
  return checks;
}

const executedOf = async (server: MysqlServer): Promise<GtidSet> =>
  GtidSet.parse(await server.value("SELECT @@GLOBAL.gtid_executed"));

async function catchUp({ source, replicas, nodes }: CheckContext): Promise<string> {
  const wanted = await executedOf(source);
  const deadline = performance.now() + CATCH_UP_MS;
  for (const node of nodes) {
    let has = GtidSet.parse((await node.status()).stream.executed);
    while (!has.containsSet(wanted)) {
      if (performance.now() > deadline)
        throw new Error(`${node.name} lacks ${wanted.subtract(has)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      has = GtidSet.parse((await node.status()).stream.executed);
    }
  }
  for (const replica of replicas) await waitForReplica(source, replica, CATCH_UP_MS);
  return `${nodes.length} nodes and ${replicas.length} replicas have all of the source's transactions`;
}

async function sameExecuted({ source, replicas, nodes }: CheckContext): Promise<string> {
  const wanted = await executedOf(source);
  for (const replica of replicas) {
    const has = await executedOf(replica);
    if (!has.equals(wanted))
      throw new Error(`replica ${replica.port} has ${has}, the source ${wanted}`);
  }
  for (const node of nodes) {
    const stored = GtidSet.parse((await node.status()).stream.executed);
    if (!stored.equals(wanted)) throw new Error(`${node.name} has ${stored}, the source ${wanted}`);
  }
  return `${wanted.count()} transactions on the source, all nodes and all replicas`;
}

async function sameChecksums({ source, replicas }: CheckContext): Promise<string> {
  const wanted = await checksums(source);
  for (const replica of replicas) {
    const has = await checksums(replica);
    if (has !== wanted) throw new Error(`replica ${replica.port}: ${has} instead of ${wanted}`);
  }
  return `${wanted.split("\n").length} tables`;
}

/** Of every node over HTTP, and of the last one also as mysqlbinlog gets them from it. */
async function sameFiles({ source, nodes, account, puller }: CheckContext): Promise<string> {
  const names = (await source.query("SHOW BINARY LOGS")).map((row) => row[0]!);
  const theirs = await rawFiles({ host: source.host, port: source.port, ...puller }, names);
  for (const node of nodes) {
    const exported = new Map<string, Uint8Array>();
    for (const name of names) exported.set(name, await node.exportFile(name));
    const difference = differenceOf(exported, theirs);
    if (difference !== null) throw new Error(`${node.name}: ${difference}`);
  }
  const last = nodes[nodes.length - 1]!;
  const ours = await rawFiles({ host: last.host, port: last.mysqlPort, ...account }, names);
  const difference = differenceOf(ours, theirs);
  if (difference !== null) throw new Error(`mysqlbinlog from ${last.name}: ${difference}`);
  const bytes = [...theirs.values()].reduce((sum, file) => sum + file.length, 0);
  return `${names.length} files, ${bytes} bytes, exported by ${nodes.length} nodes and by mysqlbinlog`;
}

/** Every row whose commit returned to the client is on the source and on every replica. */
async function nothingLost({ source, replicas, load }: CheckContext): Promise<string> {
  for (const server of [source, ...replicas]) {
    const rows = await server.query("SELECT n FROM shop.traced");
    const has = new Set(rows.map((row) => Number(row[0])));
    const lost = [...load.acknowledged].filter((n) => !has.has(n));
    if (lost.length > 0) {
      throw new Error(
        `server ${server.port} lacks ${lost.length} acknowledged commits, such as ${lost[0]}`,
      );
    }
  }
  if (load.failed > 0) throw new Error(`${load.failed} statements failed: ${load.failure}`);
  return `${load.acknowledged.size} acknowledged commits traced on ${replicas.length + 1} servers`;
}

async function noFallback(source: MysqlServer): Promise<string> {
  const counter = async (name: string): Promise<number> =>
    Number(
      (await source.query(`SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_${name}'`))[0]?.[1] ?? -1,
    );
  const without = await counter("no_tx");
  if (without !== 0) throw new Error(`${without} commits went on without an ACK`);
  return `${await counter("yes_tx")} commits waited for binraft's ACK, none went on without`;
}

/** A cluster of whole nodes with what a source has written into it, and what its disks hold. */
import assert from "node:assert/strict";
import { FileImage } from "../../../runtime/memory/disk-image.ts";
import { NodeCluster } from "../../sim/nodes/cluster.ts";
import { DATA_DIR, type SimNode } from "../../sim/nodes/node.ts";
import { drawPlan, type Plan } from "../../sim/nodes/plan.ts";
import { running } from "./sim-nodes.ts";

/** `rest` makes the source write nothing for a long while. */
export async function loadedCluster(
  seed: number,
  transactions: number,
  change: Partial<Plan> = {},
): Promise<{ cluster: NodeCluster; rest: () => Promise<void> }> {
  const plan: { -readonly [K in keyof Plan]: Plan[K] } = {
    ...drawPlan(seed),
    voters: 3,
    formation: "expect",
    chunkMib: 0,
    segmentBytes: 64 * 1024,
    retentionBytes: null,
    rotateEveryMs: 0,
    faults: [],
    latencyMs: 1,
    syncMs: 0.2,
    eventDelayMs: 0,
    commitEveryMs: 10,
    largeBytes: 3000,
    ...change,
  };
  const cluster = new NodeCluster(plan);
  await cluster.form();
  await cluster.until("transactions", () => cluster.acked > transactions);
  const rest = async (): Promise<void> => {
    plan.commitEveryMs = 1e9;
    await cluster.world.time.advance(500);
    await cluster.until("all have all", () => haveAll(cluster));
  };
  return { cluster, rest };
}

export function executedOf(node: SimNode): string {
  return node.node?.gtid().executed ?? "";
}

export function haveAll(cluster: NodeCluster): boolean {
  const leader = cluster.leader();
  if (leader === null) return false;
  const { file, position } = cluster.source.end;
  const newest = running(leader).core.state.stream.file;
  if (newest?.sourceName !== file || newest.size !== position) return false;
  return cluster.nodes.every((node) => !node.up || executedOf(node) === executedOf(leader));
}

/** What it exports is the file, or its beginning while it has not caught up; null when it refuses. */
export async function isRightOrRefused(
  cluster: NodeCluster,
  node: SimNode,
  { name, bytes }: { readonly name: string; readonly bytes: Uint8Array },
): Promise<Uint8Array | null> {
  const got = await exported(cluster, node, name).catch((error: Error) => {
    assert.equal(error.name, "EntryDamaged", error.stack);
    return null;
  });
  if (got !== null)
    assert.ok(Buffer.from(got).equals(bytes.subarray(0, got.length)), `${name}: wrong bytes`);
  return got;
}

/** Rejects when a byte of it cannot be given. */
export function exported(cluster: NodeCluster, node: SimNode, name: string): Promise<Uint8Array> {
  return cluster.world.time.run(async () => {
    const parts: Uint8Array[] = [];
    for await (const part of running(node).exportFile(name)) parts.push(part.slice());
    return Buffer.concat(parts);
  });
}

/** Its files are the source's, byte for byte; resolves with their names. */
export async function hasFiles(cluster: NodeCluster, node: SimNode): Promise<string[]> {
  const names = running(node)
    .files()
    .map(({ name }) => name);
  for (const name of names) {
    const wanted = cluster.source.files.find((file) => file.name === name);
    assert.ok(wanted !== undefined, name);
    const got = await exported(cluster, node, name);
    assert.ok(Buffer.from(got).equals(wanted.bytes), `${node.name}: ${name}`);
  }
  return names;
}

export function segmentsOf(node: SimNode): string[] {
  const names = node.machine.disk(DATA_DIR).image.list("log");
  return names
    .filter((name) => name.endsWith(".seg"))
    .sort()
    .map((name) => `log/${name}`);
}

function imageOf(node: SimNode, path: string): FileImage {
  const file = node.machine.disk(DATA_DIR).image.get(path);
  assert.ok(file instanceof FileImage, path);
  return file;
}

export function bytesAt(node: SimNode, path: string): Uint8Array {
  const { visible } = imageOf(node, path);
  const bytes = new Uint8Array(visible.size);
  visible.read(0, bytes);
  return bytes;
}

/** What the disk has there is changed, for good. */
export function damage(node: SimNode, path: string, at: number, bytes: Uint8Array): void {
  const file = imageOf(node, path);
  file.visible.write(at, bytes);
  file.durable.write(at, bytes);
}

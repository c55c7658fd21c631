/** Damage on one disk of a cluster: never served, found, told, and made whole from a peer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SimNode } from "../../sim/nodes/node.ts";
import {
  bytesAt,
  damage,
  exported,
  hasFiles,
  haveAll,
  isRightOrRefused,
  loadedCluster,
  segmentsOf,
} from "./loaded-cluster.ts";
import { leaderOf, running } from "./sim-nodes.ts";

const MINUTE_MS = 60_000;

function flip(node: SimNode, path: string, at: number, mask: number): Uint8Array {
  const whole = bytesAt(node, path);
  damage(node, path, at, new Uint8Array([whole[at]! ^ mask]));
  return whole;
}

/** Bytes of entries, not of what fills up a batch. */
function places(bytes: Uint8Array, from: number, count: number): number[] {
  const found: number[] = [];
  for (let at = from; found.length < count; at++) {
    const around = bytes.subarray(at - 12, at + 12);
    if (around.some((byte) => byte === 0 || byte === 0xff)) continue;
    found.push(at);
    at += 2_000;
  }
  return found;
}

const damageOf = (node: SimNode): number => running(node).status().storage.damage.length;
const isAlarmed = (node: SimNode): boolean =>
  running(node)
    .status()
    .alarms.some((alarm) => /damaged on this disk/.test(alarm));

test("repair: what a read comes upon is never given out, and is whole again within seconds", async (t) => {
  const { cluster, rest } = await loadedCluster(31, 500);
  await rest();
  const [node] = cluster.nodes;
  let [found, wasRight, refused] = [0, 0, 0];
  const sealed = segmentsOf(node!).slice(0, -1);
  assert.ok(sealed.length >= 2, `${sealed.length} sealed segments`);
  for (const path of sealed.slice(0, 2)) {
    const used = bytesAt(node!, path).findLastIndex((byte) => byte !== 0) + 1;
    for (let at = 8192 + 13; at < used; at += 2_477) {
      const what = `byte ${at} of ${path}`;
      // What it has in memory would hide it.
      node!.kill();
      const whole = flip(node!, path, at, 1 << (at % 8));
      node!.start();
      await cluster.until(
        `${what}: it starts or says why not`,
        () => !node!.up || node!.node !== null,
      );
      if (!node!.up) {
        assert.match(node!.lines.at(-1)!, /ended: /);
        refused++;
        damage(node!, path, 0, whole);
        await cluster.until("it runs again", () => node!.node !== null);
        continue;
      }
      await cluster.until("it has heard what is committed", () => leaderOf(node!) > 0);
      for (const file of cluster.source.files) await isRightOrRefused(cluster, node!, file);
      if (damageOf(node!) === 0) {
        wasRight++;
        damage(node!, path, 0, whole);
        continue;
      }
      found++;
      assert.ok(isAlarmed(node!), what);
      await cluster.until(`${what} is repaired`, () => damageOf(node!) === 0, 5_000);
      assert.ok(!isAlarmed(node!), what);
      assert.ok(Buffer.from(bytesAt(node!, path)).equals(whole), `${what}: as it was`);
      await hasFiles(cluster, node!);
    }
  }
  t.diagnostic(`${found} were repaired, ${wasRight} changed nothing, ${refused} were refused`);
  assert.ok(found > 20 && refused === 0);
});

test("repair: what nobody reads the scrub finds, and it is repaired; the others are not disturbed", async () => {
  const { cluster, rest } = await loadedCluster(32, 500);
  await rest();
  const node = cluster.nodes.find(({ leads }) => !leads)!;
  const { term } = running(cluster.leader()!).core.driver;
  node.kill();
  const [path] = segmentsOf(node);
  const whole = bytesAt(node, path!);
  for (const at of places(whole, 16_000, 3)) flip(node, path!, at, 0x10);
  node.start();
  await cluster.until("it runs", () => node.node !== null);
  const error = (): string[] => node.lines.filter((line) => / error .*damaged/.test(line));
  await cluster.until("it is told", () => error().length > 0, 10 * MINUTE_MS);
  await cluster.until("it is repaired", () => damageOf(node) === 0, MINUTE_MS);
  assert.ok(Buffer.from(bytesAt(node, path!)).equals(whole));
  assert.ok(
    node.lines.some((line) => /Damaged entries were repaired from a peer/.test(line)),
    node.lines.slice(-5).join("\n"),
  );
  assert.equal(running(cluster.leader()!).core.driver.term, term);
  await hasFiles(cluster, node);
});

test("repair: a leader with damage is made whole, too, and commits go on", async () => {
  const { cluster } = await loadedCluster(33, 500);
  const node = cluster.nodes.find(({ leads }) => !leads)!;
  node.kill();
  const [path] = segmentsOf(node);
  const whole = bytesAt(node, path!);
  for (const at of places(whole, 16_000, 3)) flip(node, path!, at, 0x10);
  node.start();
  const keepsUp = (): boolean => node.node !== null && leaderOf(node) > 0;
  await cluster.until("it is back", keepsUp);
  await cluster.world.time.advance(1_000);
  await cluster.world.time.run(() => running(node).transferLeader(node.name));
  assert.ok(node.leads);
  await isRightOrRefused(cluster, node, cluster.source.files[0]!);
  assert.ok(damageOf(node) > 0);
  await cluster.until("it is repaired", () => damageOf(node) === 0, MINUTE_MS);
  const { acked } = cluster;
  await cluster.until("commits go on", () => cluster.acked > acked + 20);
  assert.ok(Buffer.from(bytesAt(node, path!)).equals(whole));
});

test("repair: where nobody can help the alarm stays and all else is served, until somebody can", async () => {
  const { cluster, rest } = await loadedCluster(34, 500);
  cluster.rotateSource();
  const acked = cluster.acked;
  await cluster.until("a second file", () => cluster.acked > acked + 50);
  await rest();
  const [node, ...others] = cluster.nodes;
  for (const other of others) other.kill();
  node!.kill();
  const [path] = segmentsOf(node!);
  const whole = bytesAt(node!, path!);
  for (const at of places(whole, 16_000, 3)) flip(node!, path!, at, 0x55);
  node!.start();
  await cluster.until("it runs", () => node!.node !== null);
  const [first, second] = cluster.source.files;
  await assert.rejects(exported(cluster, node!, first!.name), { name: "EntryDamaged" });
  await cluster.world.time.advance(MINUTE_MS);
  assert.ok(isAlarmed(node!) && damageOf(node!) > 0);
  const got = await isRightOrRefused(cluster, node!, second!);
  assert.ok(got !== null && got.length > 1000, "the other file is served");
  for (const other of others) other.start();
  await cluster.until("it is repaired", () => damageOf(node!) === 0, MINUTE_MS);
  assert.ok(!isAlarmed(node!));
  assert.ok(Buffer.from(bytesAt(node!, path!)).equals(whole));
  await cluster.until("all have all", () => haveAll(cluster));
  await hasFiles(cluster, node!);
});

test("repair: two disks that are damaged in different places make each other whole", async () => {
  const { cluster, rest } = await loadedCluster(35, 500);
  await rest();
  const wholes = cluster.nodes.map((node) => {
    node.kill();
    return new Map(segmentsOf(node).map((path) => [path, bytesAt(node, path)]));
  });
  for (const [i, node] of cluster.nodes.entries()) {
    const [path] = segmentsOf(node);
    const whole = bytesAt(node, path!);
    for (const at of places(whole, 16_000 + 15_000 * i, 2)) flip(node, path!, at, 0x21);
  }
  for (const node of cluster.nodes) node.start();
  await cluster.until("all run", () => cluster.nodes.every(({ node }) => node !== null));
  for (const node of cluster.nodes)
    for (const file of cluster.source.files) await isRightOrRefused(cluster, node, file);
  await cluster.until("all have all", () => haveAll(cluster));
  await cluster.until("all are whole", () => cluster.nodes.every((one) => damageOf(one) === 0));
  for (const [i, node] of cluster.nodes.entries()) {
    const [path] = segmentsOf(node);
    assert.ok(Buffer.from(bytesAt(node, path!)).equals(wholes[i]!.get(path!)!), node.name);
    await hasFiles(cluster, node);
  }
});

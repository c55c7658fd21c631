/**
 * A cluster is upgraded node by node: while one node is of the older version nothing is written that
 * it cannot read, whoever leads; once all are of the newer one the format is lifted, and the older
 * version is refused. The newer version is this one with a further format.
 */
import assert from "node:assert/strict";
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import type { NodeProcess } from "../../demo/node-process.ts";
import { KNOWN_FORMAT } from "../../src/cluster/version-gate.ts";
import { MysqlCluster } from "../support/mysql-cluster.ts";
import { type TempDir, tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const GATE = "src/cluster/version-gate.ts";
const FLOW_MS = 20_000;
const NEXT_FORMAT = KNOWN_FORMAT + 1;

let dir: TempDir;
let made: MysqlCluster;
let newMain: string;
let oldMain: string;

before(async () => {
  dir = await tempDir("versions");
  for (const part of ["src", "geo", "runtime", "package.json"])
    await cp(path.join(ROOT, part), path.join(dir.path, part), { recursive: true });
  await symlink(path.join(ROOT, "node_modules"), path.join(dir.path, "node_modules"));
  const gate = path.join(dir.path, GATE);
  const text = await readFile(gate, "utf8");
  const line = `KNOWN_FORMAT = ${KNOWN_FORMAT};`;
  assert.equal(text.split(line).length, 2);
  await writeFile(gate, text.replace(line, `KNOWN_FORMAT = ${NEXT_FORMAT};`));
  newMain = path.join(dir.path, "runtime/node/main.ts");
  made = await MysqlCluster.start({ replicas: ["v2"] });
  oldMain = made.cluster.node("v1").main;
});

after(async () => {
  await made?.stop();
  await dir?.remove();
});

const formatAt = async (node: NodeProcess): Promise<number> => (await node.cluster()).formatVersion;

async function upgrade(node: NodeProcess): Promise<void> {
  await node.stop();
  node.main = newMain;
  await node.start();
}

/** It leads, and takes in what the source commits. */
async function leadsAndTakes(name: string): Promise<void> {
  const { cluster } = made;
  const body = JSON.stringify({ member: name });
  const moves = async (): Promise<boolean> => {
    const leader = await cluster.leader();
    if (leader.name === name) return true;
    const headers = { "content-type": "application/json" };
    await leader.fetch("/v1/cluster/leader", { method: "POST", body, headers });
    return false;
  };
  await waitFor(moves, { deadlineMs: FLOW_MS, what: `${name} to lead` });
  await made.commitsFlow(20, FLOW_MS, `commits while ${name} leads`);
}

test("while one node is of the older version the format stays, whoever leads", async () => {
  const { cluster, load } = made;
  load.start();
  await made.commitsFlow(20, FLOW_MS, "commits");
  await upgrade(cluster.node("v3"));
  for (const name of ["v3", "v1"]) {
    await leadsAndTakes(name);
    // Longer than a leader takes to look whether it may lift it.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    for (const node of cluster.nodes) assert.equal(await formatAt(node), KNOWN_FORMAT, node.name);
  }
  await upgrade(cluster.node("v2"));
  await leadsAndTakes("v2");
  for (const node of cluster.nodes) assert.equal(await formatAt(node), KNOWN_FORMAT, node.name);
});

test("once all are of the newer version the format is lifted, on all of them", async () => {
  const { cluster } = made;
  await upgrade(cluster.node("v1"));
  const lifted = async (): Promise<boolean> => {
    const formats = await Promise.all(cluster.nodes.map((node) => formatAt(node)));
    return formats.every((format) => format === NEXT_FORMAT);
  };
  await waitFor(lifted, { deadlineMs: FLOW_MS, what: `format ${NEXT_FORMAT} on all nodes` });
  await made.commitsFlow(20, FLOW_MS, "commits in the new format");
});

test("then a node of the older version is refused, with what to do, and comes back with the newer one", async () => {
  const node = made.cluster.node("v1");
  await node.stop();
  const before = (await node.said()).length;
  node.main = oldMain;
  node.launch();
  assert.ok(((await node.ended(FLOW_MS)) ?? 0) > 0, "it ends by itself");
  const said = (await node.said()).slice(before);
  const sentence = `The cluster writes log format ${NEXT_FORMAT}; this binraft knows ${KNOWN_FORMAT}`;
  assert.ok(said.includes(sentence), said);
  assert.match(said, /BR1202/);
  assert.match(said, /start this node with the version that the other nodes run/);
  node.main = newMain;
  await node.start();
  await made.commitsFlow(10, FLOW_MS, "commits once it is back");
});

test("at the end everything is equal on all nodes and the replica, and no commit went without an ACK", async () => {
  await made.load.stop();
  await made.check();
});

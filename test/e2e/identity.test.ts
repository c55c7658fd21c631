/**
 * A disk is a vote: what happens to nodes whose disk is not what they had promised with. Each is
 * refused with a sentence that says what to do, and the cluster goes on without it.
 */
import assert from "node:assert/strict";
import { cp, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { ClusterProcesses } from "../../demo/cluster-processes.ts";
import { freePort } from "../../demo/mysql/server.ts";
import { NodeProcess } from "../../demo/node-process.ts";
import { ACCOUNT } from "../support/local-node.ts";
import { runBinraft } from "../support/run-binraft.ts";
import { type TempDir, tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const DEADLINE_MS = 30_000;

let dir: TempDir;
let cluster: ClusterProcesses;
let v1: NodeProcess;
let v2: NodeProcess;
let v3: NodeProcess;
/** Nodes that are none of the cluster's. */
const strangers: NodeProcess[] = [];

before(async () => {
  dir = await tempDir("identity");
  cluster = await ClusterProcesses.create({
    folder: path.join(dir.path, "cluster"),
    voters: ["v1", "v2", "v3"],
    toml: '[storage]\nsegment_bytes = "1MiB"',
    account: ACCOUNT,
  });
  await cluster.start();
  [v1, v2, v3] = ["v1", "v2", "v3"].map((name) => cluster.node(name)) as [
    NodeProcess,
    NodeProcess,
    NodeProcess,
  ];
  await lead(v1);
});

after(async () => {
  await Promise.all([...cluster.nodes, ...strangers].map((node) => node.kill()));
  await dir.remove();
});

interface StrangerOptions {
  readonly dataDir?: string;
  readonly secretFile?: string;
  readonly peerPort?: number | null;
  /** Who it is told of; the cluster's nodes when left out. */
  readonly join?: readonly string[];
}

/** A node with a directory of its own that was told of the cluster. */
async function stranger(name: string, options: StrangerOptions = {}): Promise<NodeProcess> {
  const join = options.join ?? ["v1", "v2", "v3"].map((one) => cluster.peerAddress(one));
  const node = await NodeProcess.create({
    folder: path.join(dir.path, name),
    name,
    account: ACCOUNT,
    peerPort: options.peerPort ?? (await freePort()),
    toml: `[cluster]
secret_file = ${JSON.stringify(options.secretFile ?? cluster.secretFile)}
join = ${JSON.stringify(join)}
[storage]
segment_bytes = "1MiB"`,
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
  });
  strangers.push(node);
  return node;
}

async function post(node: NodeProcess, method: string, route: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await node.fetch(route, { method, headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${route}: ${answer.status} ${await answer.text()}`);
}

const lead = (node: NodeProcess): Promise<void> =>
  post(v1, "POST", "/v1/cluster/leader", { member: node.name });

/** The log grows, which needs a quorum. */
async function write(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await post(v1, "PUT", "/v1/cluster/retention", { bytes: 1_000_000_000 + i, hours: null });
  }
}

/** What a node says of why it is not ready. */
async function whyNotReady(node: NodeProcess): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${node.adminPort}/readyz?verbose`);
  return answer.ok ? "" : answer.text();
}

async function isFenced(node: NodeProcess, why: RegExp): Promise<void> {
  await waitFor(async () => why.test(await whyNotReady(node)), {
    deadlineMs: DEADLINE_MS,
    what: `${node.name} to be fenced (it said ${await node.said()})`,
  });
}

const names = async (): Promise<string[]> =>
  (await v1.cluster()).members.map(({ id, name, role }) => `${id} ${name} ${role}`);

test("two processes on one directory: the second ends with 1", async () => {
  const second = await stranger("second", { dataDir: v2.dataDir });
  const ran = await runBinraft(second.folder, ["start"]);
  assert.equal(ran.exit, 1);
  assert.match(ran.stderr, /in use.*BR1101/);
});

test("a node with another secret stays out and says so", async () => {
  const secretFile = path.join(dir.path, "another-secret");
  await writeFile(secretFile, "another-secret-of-32-characters!", { mode: 0o600 });
  const guesser = await stranger("guesser", { secretFile });
  guesser.launch();
  await waitFor(async () => /secret/.test(await guesser.said()), {
    deadlineMs: DEADLINE_MS,
    what: "its log to name the secret",
  }).catch(async (error: Error) => {
    throw new Error(`${error.message}: ${await guesser.said()}`);
  });
  assert.deepEqual(await names(), ["1 v1 voter", "2 v2 voter", "3 v3 voter"]);
  await guesser.kill();
});

test("a node of another cluster at a member's address is refused, the member comes back", async () => {
  await v3.stop();
  const alien = await stranger("alien", { peerPort: v3.peerPort, join: [] });
  await alien.start(["--bootstrap"]);
  const refused = async (): Promise<boolean> =>
    /cluster/.test((await v1.cluster()).members.find(({ id }) => id === 3)?.refused ?? "");
  await waitFor(refused, { deadlineMs: DEADLINE_MS, what: "v1 to refuse it" });
  await write();
  const { term } = await v1.cluster();
  await alien.stop();
  await v3.start();
  assert.equal((await v3.cluster()).term, term);
});

test("a directory that is cloned beside the original is refused; the original stays", async () => {
  await v3.stop();
  const clone = await stranger("clone");
  await cp(v3.dataDir, clone.dataDir, { recursive: true });
  await v3.start();
  await write();
  clone.launch();
  await isFenced(clone, /restored, or copied|a copy/);
  await write();
  assert.ok(await v3.ready(), "the original takes part");
  await clone.kill();
  // Started often enough its count of starts is above the original's: its log tells.
  clone.launch();
  await isFenced(clone, /restored/);
  await clone.kill();
  await write();
  assert.ok(await v3.ready());
});

test("a directory restored from an early copy is fenced: not ready, and says why", async () => {
  await v3.stop();
  const early = path.join(dir.path, "early");
  await cp(v3.dataDir, early, { recursive: true });
  await v3.start();
  await write();
  await v3.stop();
  const whole = path.join(dir.path, "whole");
  await rename(v3.dataDir, whole);
  await cp(early, v3.dataDir, { recursive: true });
  v3.launch();
  await isFenced(v3, /restored/);
  const { alarms } = await v3.status();
  assert.ok(
    alarms.some((alarm) => /restored/.test(alarm)),
    alarms.join(),
  );
  await write();
  await v3.kill();
  await rm(v3.dataDir, { recursive: true });
  await rename(whole, v3.dataDir);
  await v3.start();
});

test("a wiped disk with --bootstrap is refused with a sentence; without, it joins as a new learner", async () => {
  await v3.stop();
  await rename(v3.dataDir, path.join(dir.path, "wiped"));
  const ran = await runBinraft(v3.folder, ["start", "--bootstrap"]);
  assert.equal(ran.exit, 1, ran.stderr);
  assert.match(ran.stderr, /a second cluster must not be formed.*Start without --bootstrap/s);
  assert.match(ran.stderr, /BR1106/);
  await v3.start();
  assert.deepEqual(await names(), ["1 v1 voter", "2 v2 voter", "3 v3 voter", "4 v3 learner"]);
  const caughtUp = async (): Promise<boolean> => {
    const promote = await v1.fetch("/v1/members/4/promote", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    if (!promote.ok) throw new Error(await promote.text());
    return true;
  };
  await waitFor(caughtUp, { deadlineMs: DEADLINE_MS, what: "the new learner to be promoted" });
  assert.ok((await v1.fetch("/v1/members/3", { method: "DELETE" })).ok);
  assert.deepEqual(await names(), ["1 v1 voter", "2 v2 voter", "4 v3 voter"]);
});

test("a removed node that comes back is fenced and disturbs nobody", async () => {
  const removed = await stranger("removed");
  await rename(path.join(dir.path, "wiped"), removed.dataDir);
  const { term, leaderId } = await v1.cluster();
  removed.launch();
  await isFenced(removed, /removed/);
  // It knocks again and again, which is said once; nobody is elected because of it.
  for (let i = 0; i < 20; i++) await write();
  const said = await Promise.all([v1, v2].map((node) => node.said()));
  const refusals = said.join("\n").match(/A node is not let in.*was removed/g) ?? [];
  assert.ok(refusals.length >= 1 && refusals.length <= 2, refusals.join("\n"));
  const now = await v1.cluster();
  assert.deepEqual([now.term, now.leaderId], [term, leaderId]);
  await removed.kill();
});

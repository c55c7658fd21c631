/**
 * A cluster whose nodes know each other by certificates of one CA, without a secret: formed, grown by a
 * node that waits to be invited, closed to whoever has no such certificate, renewed while it runs.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { ClusterProcesses, type Entrance } from "../../demo/cluster-processes.ts";
import type { NodeProcess } from "../../demo/node-process.ts";
import type { ProblemDocument } from "../../src/admin/problem.ts";
import {
  type Authority,
  type Credentials,
  createAuthority,
  before as expired,
} from "../support/authority.ts";
import { ACCOUNT } from "../support/local-node.ts";
import { runBinraft } from "../support/run-binraft.ts";
import { type TempDir, tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const DEADLINE_MS = 30_000;
const VOTERS = ["v1", "v2", "v3"];
/** Of other nodes than those that have a certificate and nothing else. */
const SECRETS: Readonly<Record<string, "only" | "too">> = { guesser: "only", shy: "too" };

let dir: TempDir;
let authority: Authority;
let cluster: ClusterProcesses;
let v1: NodeProcess;
let v3: NodeProcess;

before(async () => {
  dir = await tempDir("certificates");
  authority = await createAuthority("the CA");
  await writeFile(fileOf("ca.crt"), authority.ca);
  for (const name of VOTERS) await install(name, await authority.issue(name));
  cluster = await ClusterProcesses.create({
    folder: fileOf("cluster"),
    voters: VOTERS,
    toml: '[storage]\nsegment_bytes = "1MiB"',
    account: ACCOUNT,
    proof,
  });
  await cluster.start();
  [v1, v3] = [cluster.node("v1"), cluster.node("v3")];
});

after(async () => {
  await Promise.all(cluster.nodes.map((node) => node.kill()));
  await dir.remove();
});

function fileOf(name: string): string {
  return path.join(dir.path, name);
}

function proof(name: string): string {
  const file = (option: string, named: string): string =>
    `${option} = ${JSON.stringify(fileOf(named))}`;
  const certificates = [
    file("tls_ca", "ca.crt"),
    file("tls_cert", `${name}.crt`),
    file("tls_key", `${name}.key`),
  ];
  const secret = SECRETS[name] === undefined ? [] : [file("secret_file", "cluster/cluster-secret")];
  return [...(SECRETS[name] === "only" ? [] : certificates), ...secret].join("\n");
}

async function install(name: string, { cert, key }: Credentials): Promise<void> {
  await writeFile(fileOf(`${name}.key`), key, { mode: 0o600 });
  await writeFile(fileOf(`${name}.crt`), cert);
}

/** Another process, with the certificate of its name. */
async function launch(name: string, entrance: Entrance, by: Authority): Promise<NodeProcess> {
  await install(name, await by.issue(name));
  const node = await cluster.add(name, entrance);
  node.launch();
  return node;
}

const members = async (): Promise<string[]> =>
  (await v1.cluster()).members.map(({ name, role }) => `${name} ${role}`);

const says = async (node: NodeProcess, what: RegExp): Promise<void> => {
  await waitFor(async () => what.test(await node.said()), {
    deadlineMs: DEADLINE_MS,
    what: `${node.name} to say ${what}`,
  }).catch(async (error: Error) => {
    throw new Error(`${error.message}: ${(await node.said()).slice(-2000)}`);
  });
};

test("three nodes form a cluster by certificates alone", async () => {
  assert.deepEqual(await members(), ["v1 voter", "v2 voter", "v3 voter"]);
  const { quorum, votersConnected } = await waitFor(
    async () => {
      const status = await v1.cluster();
      return status.votersConnected === 3 ? status : null;
    },
    { deadlineMs: DEADLINE_MS, what: "v1 to hear of all" },
  );
  assert.deepEqual([quorum, votersConnected], [2, 3]);
});

test("a fresh node says that it waits, and answers as usual once it was invited", async () => {
  const fresh = await launch("l1", "wait", authority);
  const url = `http://127.0.0.1:${fresh.adminPort}`;
  const waiting = await waitFor(
    async () => {
      const problem = (await (await fetch(`${url}/readyz`)).json()) as ProblemDocument;
      return /no place in a cluster yet/.test(problem.detail) ? problem : null;
    },
    { deadlineMs: DEADLINE_MS, what: "l1 to wait" },
  );
  assert.deepEqual([waiting.status, waiting.code], [503, "BR4009"]);
  assert.equal((await fetch(`${url}/livez`)).status, 200);
  assert.equal((await fetch(`${url}/v1/status`)).status, 401);
  const asked = await runBinraft(fresh.folder, ["status"]);
  assert.match(asked.stderr, /no place in a cluster yet.*BR4009.*next: .*member add/s);
  const added = await runBinraft(v1.folder, ["member", "add", cluster.peerAddress("l1")]);
  assert.equal(added.exit, 0, added.stderr);
  await fresh.untilReady();
  assert.equal((await fresh.status()).node.name, "l1");
  assert.deepEqual(await members(), ["v1 voter", "v2 voter", "v3 voter", "l1 learner"]);
});

test("whoever has no certificate of the CA, or a secret besides, stays out, and is told why", async () => {
  const was = await members();
  const another = await createAuthority("another CA");
  const [alien, guesser, shy] = [
    await launch("alien", "join", another),
    await launch("guesser", "join", authority),
    await launch("shy", "join", authority),
  ];
  await says(alien, /no place in a cluster yet.*does not accept this node's certificate/);
  await says(v1, /peer port was refused.*is not signed by a CA of cluster\.tls_ca/);
  await says(guesser, /no place in a cluster yet.*does not accept this node's certificate/);
  await says(v1, /peer port was refused.*is self-signed.*: set cluster\.tls_ca/);
  await says(shy, /This node has a cluster secret and the other side has none/);
  await says(v1, /The other side has a cluster secret and this node has none/);
  await Promise.all([alien, guesser, shy].map((node) => node.kill()));
  assert.deepEqual(await members(), was);
  assert.equal((await v1.cluster()).votersConnected, 3);
});

test("a node with an expired certificate is named, and back once its files are renewed", async () => {
  await install("v3", await authority.issue("v3", expired(Date.now())));
  // What is linked stays.
  assert.equal((await v1.cluster()).votersConnected, 3);
  await v3.kill();
  v3.launch();
  await says(v1, /No link to a node.*has expired: renew it/);
  await says(v3, /No link to a node.*does not accept this node's certificate/);
  assert.equal((await v1.cluster()).votersConnected, 2);
  await install("v3", await authority.issue("v3"));
  await v3.untilReady();
  await waitFor(async () => (await v1.cluster()).votersConnected === 3, {
    deadlineMs: DEADLINE_MS,
    what: "v3 to be back",
  });
});

test("a key that is not the certificate's ends the start with a sentence", async () => {
  await v3.stop();
  const { key } = await authority.issue("v3");
  await writeFile(fileOf("v3.key"), key, { mode: 0o600 });
  const ran = await runBinraft(v3.folder, ["start"]);
  assert.equal(ran.exit, 1);
  assert.match(ran.stderr, /\(cluster\.tls_key\) is not that of the certificate.*BR1006.*next: /s);
});

/**
 * The life of a cluster as an operator lives it: formed, grown, pulled from a source, led by another,
 * pointed at a promoted replica, purged, shrunk. All by the command line against real processes, from
 * whatever node; each write also once over HTTP from a follower. And no secret is ever said.
 */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { ClusterProcesses } from "../../demo/cluster-processes.ts";
import { MysqlServer } from "../../demo/mysql/server.ts";
import type { NodeProcess } from "../../demo/node-process.ts";
import { checksums, startReplica, waitForReplica } from "../../demo/replica.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { runBinraft } from "../support/run-binraft.ts";
import { type TempDir, tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const DEADLINE_MS = 30_000;
const CANARY = {
  source: "canary-of-the-source",
  account: "canary-of-the-account",
  cluster: "canary-of-the-whole-cluster",
} as const;
const ACCOUNT = { user: "repl", password: CANARY.account } as const;

let dir: TempDir;
let cluster: ClusterProcesses;
const servers: MysqlServer[] = [];
/** Everything that the command line or a node answered. */
let said = "";

before(async () => {
  dir = await tempDir("life");
  await writeFile(path.join(dir.path, "puller"), CANARY.source, { mode: 0o600 });
  cluster = await ClusterProcesses.create({
    folder: path.join(dir.path, "cluster"),
    voters: ["v1", "v2", "v3"],
    learners: ["l1"],
    toml: '[storage]\nsegment_bytes = "1MiB"',
    account: ACCOUNT,
    secret: CANARY.cluster,
  });
  servers.push(
    ...(await Promise.all([1, 2, 3].map((serverId) => MysqlServer.start({ serverId })))),
  );
});

after(async () => {
  for (const server of servers) await server.remove();
  await Promise.all(cluster.nodes.map((node) => node.kill()));
  await dir.remove();
});

/** A verb at a node; it has to end with 0. */
async function binraft(node: NodeProcess, ...args: readonly string[]): Promise<string> {
  const ran = await runBinraft(node.folder, args);
  said += ran.stdout + ran.stderr;
  assert.equal(ran.exit, 0, `binraft ${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

async function http(
  node: NodeProcess,
  method: string,
  route: string,
  body?: object,
): Promise<string> {
  const headers = { "content-type": "application/json" };
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers };
  const answer = await node.fetch(route, { method, ...sent });
  const text = await answer.text();
  said += text;
  if (!answer.ok) throw new Error(`${method} ${route} at ${node.name}: ${answer.status} ${text}`);
  return text;
}

const node = (name: string): NodeProcess => cluster.node(name);

/** A voter that does not lead. */
async function follower(): Promise<NodeProcess> {
  const leader = await cluster.leader();
  return ["v2", "v3", "v1"].map(node).find((one) => one.running && one !== leader)!;
}

const soon = (what: string, condition: () => Promise<unknown>): Promise<unknown> =>
  waitFor(condition, { deadlineMs: DEADLINE_MS, what, pollMs: 100 });

const members = async (at: NodeProcess): Promise<string> =>
  (await at.cluster()).members.map(({ name, role }) => `${name} ${role}`).join(", ");

test("three nodes form a cluster, one joins by itself, one is invited", async () => {
  await cluster.start();
  const invited = await cluster.add("l2", "wait");
  invited.launch();
  const at = await follower();
  await soon("l2 to wait", async () => /member add/.test(await invited.said()));
  assert.match(await binraft(at, "member", "add", cluster.peerAddress("l2")), /learner/);
  await invited.untilReady();
  assert.equal(await members(at), "v1 voter, v2 voter, v3 voter, l1 learner, l2 learner");
  assert.match(await binraft(at, "member", "list"), /l2/);
  assert.match(await binraft(at, "cluster", "show"), /quorum/);
});

test("learners are promoted and demoted", async () => {
  const at = await follower();
  await soon("l1 to be promoted", async () => binraft(at, "member", "promote", "l1"));
  await soon("l2 to be promoted", () => http(at, "POST", "/v1/members/l2/promote", {}));
  assert.equal(await members(at), "v1 voter, v2 voter, v3 voter, l1 voter, l2 voter");
  await binraft(at, "member", "demote", "l1");
  await http(at, "POST", "/v1/members/l2/demote", {});
  assert.equal(await members(at), "v1 voter, v2 voter, v3 voter, l1 learner, l2 learner");
});

async function pull(from: MysqlServer): Promise<void> {
  const at = await follower();
  const url = `mysql://puller@127.0.0.1:${from.port}`;
  const ca = path.join(from.binlogDir, "ca.pem");
  const file = path.join(dir.path, "puller");
  const tls = ["--tls", "verify-ca", "--tls-ca", ca];
  await binraft(at, "syncer", "set", url, "--password-file", file, ...tls);
  await binraft(at, "syncer", "start");
  await binraft(at, "syncer", "check");
  await soon("the syncer to run", async () =>
    /RUNNING/.test(await binraft(await follower(), "syncer", "show")),
  );
}

async function stored(source: MysqlServer): Promise<void> {
  const wanted = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
  for (const one of cluster.nodes) {
    await soon(`${one.name} to have ${wanted}`, async () =>
      GtidSet.parse((await one.status()).stream.executed).containsSet(wanted),
    );
  }
}

test("a source is set, replicas follow a learner and a voter, and are listed", async () => {
  const [source, one, two] = servers as [MysqlServer, MysqlServer, MysqlServer];
  await source.exec(
    `CREATE USER 'puller'@'%' IDENTIFIED BY '${CANARY.source}';
     GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'puller'@'%'`,
  );
  await source.exec(SCHEMA);
  await pull(source);
  await source.exec("INSERT INTO shop.orders (region) VALUES ('a'), ('b')");
  await stored(source);
  await startReplica(one, { host: "127.0.0.1", port: node("l1").mysqlPort, ...ACCOUNT });
  await startReplica(two, { host: "127.0.0.1", port: node("v2").mysqlPort, ...ACCOUNT });
  for (const replica of [one, two]) await waitForReplica(source, replica, DEADLINE_MS);
  assert.match(await binraft(node("l1"), "replica", "list"), new RegExp(`\\b${one.serverId}\\b`));
  assert.match(
    await http(node("v2"), "GET", "/v1/replicas"),
    new RegExp(`"serverId":${two.serverId}`),
  );
});

test("syncer and binlog server are stopped and started", async () => {
  const source = servers[0]!;
  const replica = servers[1]!;
  const at = await follower();
  const l1 = node("l1");
  const syncerIs = (state: RegExp): Promise<unknown> =>
    soon(`the syncer to be ${state}`, async () => state.test(await http(at, "GET", "/v1/syncer")));
  await binraft(at, "syncer", "stop");
  await syncerIs(/STOPPED/);
  await http(at, "POST", "/v1/syncer/start", {});
  await syncerIs(/RUNNING/);
  await http(at, "POST", "/v1/syncer/stop", {});
  await syncerIs(/STOPPED/);
  await binraft(at, "syncer", "start");
  await syncerIs(/RUNNING/);

  await binraft(l1, "server", "stop");
  await source.exec("INSERT INTO shop.orders (region) VALUES ('server')");
  await soon("the replica to lose l1", async () => (await l1.replicas()).length === 0);
  assert.match(await binraft(l1, "server", "show"), /not listening/);
  await l1.stop();
  await l1.start();
  assert.match(await http(l1, "GET", "/v1/server"), /"listening":false/);
  await http(l1, "POST", "/v1/server/start", {});
  await waitForReplica(source, replica, DEADLINE_MS);
  await http(l1, "POST", "/v1/server/stop", {});
  await binraft(l1, "server", "start");
  await soon("the replica to come back", async () => (await l1.replicas()).length === 1);
  const { uuid } = (await l1.replicas())[0]!;
  await binraft(l1, "replica", "kick", uuid);
  await soon("the replica to come back", async () => (await l1.replicas()).length === 1);
});

test("leadership is handed over, and pulling goes on from the new leader", async () => {
  const source = servers[0]!;
  const first = await cluster.leader();
  const to = await follower();
  await binraft(first, "cluster", "transfer-leader", to.name);
  assert.equal(await cluster.leader(), to);
  await source.exec("INSERT INTO shop.orders (region) VALUES ('handed over')");
  await stored(source);
  const body = { member: first.name };
  assert.match(
    await http(await follower(), "POST", "/v1/cluster/leader", body),
    new RegExp(first.name),
  );
  assert.equal(await cluster.leader(), first);
});

test("the source fails over to a promoted replica", async () => {
  const [old, replica, next] = servers as [MysqlServer, MysqlServer, MysqlServer];
  await waitForReplica(old, next, DEADLINE_MS);
  await old.stop();
  await next.exec("STOP REPLICA; RESET REPLICA ALL");
  await next.exec("INSERT INTO shop.orders (region) VALUES ('promoted')");
  await pull(next);
  await stored(next);
  await waitForReplica(next, replica, DEADLINE_MS);
  assert.equal(await checksums(replica), await checksums(next));
});

async function listed(one: NodeProcess): Promise<string[]> {
  const { items } = JSON.parse(await http(one, "GET", "/v1/binlogs")) as {
    items: { name: string }[];
  };
  return items.map(({ name }) => name);
}

test("accounts and retention are set, old binlogs are purged on all nodes", async () => {
  const source = servers[2]!;
  const at = await follower();
  await binraft(
    at,
    "account",
    "set",
    "two",
    "--password-file",
    path.join(at.folder, "replica-password"),
  );
  assert.match(await binraft(node("l2"), "account", "list"), /two/);
  await binraft(at, "account", "remove", "two");
  const verifier = { sha2: "ab".repeat(32), native: null };
  await http(at, "PUT", "/v1/accounts/three", verifier);
  await http(at, "DELETE", "/v1/accounts/three");
  await binraft(at, "cluster", "retention", "--bytes", "1GiB");
  await http(at, "PUT", "/v1/cluster/retention", { bytes: 2 ** 30, hours: null });

  for (let i = 0; i < 3; i++)
    await source.exec("FLUSH BINARY LOGS; INSERT INTO shop.orders (region) VALUES ('f')");
  await stored(source);
  await waitForReplica(source, servers[1]!, DEADLINE_MS);
  const files = await listed(at);
  assert.ok(files.length >= 4, files.join());
  await binraft(at, "binlog", "purge", "--to", files[1]!);
  await http(at, "POST", "/v1/binlogs/purge", { to: files[2]!, dryRun: false });
  for (const one of cluster.nodes) {
    await soon(`${one.name} to purge`, async () => (await listed(one))[0] === files[2]);
  }
});

test("a learner joins from now: it has the newest file, whole, and may not vote", async () => {
  const source = servers[2]!;
  const at = await follower();
  const files = await listed(at);
  const fresh = await cluster.add("l3", "from-now");
  await fresh.start();
  assert.deepEqual(await listed(fresh), files.slice(-1));
  assert.match(await binraft(at, "member", "list"), /l3 .* learner, from now/);
  const refused = await runBinraft(at.folder, ["member", "promote", "l3"]);
  assert.notEqual(refused.exit, 0);
  assert.match(refused.stderr, new RegExp(`joined from now and lacks files from "${files[0]}" on`));

  await source.exec("INSERT INTO shop.orders (region) VALUES ('now'); FLUSH BINARY LOGS");
  await stored(source);
  const bytes = async (one: NodeProcess): Promise<Buffer> => {
    const answer = await one.fetch(`/v1/binlogs/${files.at(-1)}/raw`);
    return Buffer.from(await answer.arrayBuffer());
  };
  assert.ok((await bytes(fresh)).equals(await bytes(at)));
  // A replica that has all but that follows it; where others have more, none is refused for good.
  const replica = servers[1]!;
  const { host, port } = { host: "127.0.0.1", port: fresh.mysqlPort };
  await replica.exec("STOP REPLICA");
  await startReplica(replica, { host, port, ...ACCOUNT });
  await source.exec("INSERT INTO shop.orders (region) VALUES ('from now')");
  await waitForReplica(source, replica, DEADLINE_MS);
  assert.equal(await checksums(replica), await checksums(source));
  await replica.exec("STOP REPLICA; RESET REPLICA ALL; RESET BINARY LOGS AND GTIDS");
  await startReplica(replica, { host, port, ...ACCOUNT });
  await soon("a replica with nothing to be sent away", async () =>
    /A dump waits|purged transactions|Dump ends/.test(await fresh.said()),
  );
  const [error] = await replica.query(
    "SELECT LAST_ERROR_NUMBER FROM performance_schema.replication_connection_status",
  );
  assert.notEqual(error![0], "13114", "1236 would have stopped it");
  await replica.exec("STOP REPLICA; RESET REPLICA ALL");
  await binraft(at, "member", "remove", "l3", "--confirm", "l3");
  await soon("l3 to know that it was removed", async () => !(await fresh.ready()));
  await fresh.kill();
});

test("members are removed and replaced, the leader too", async () => {
  let at = await follower();
  assert.match((await runBinraft(at.folder, ["member", "remove", "l2"])).stdout, /leaves for good/);
  await binraft(at, "member", "remove", "l2", "--confirm", "l2");
  const l2 = node("l2");
  await soon("l2 to know that it was removed", async () => !(await l2.ready()));
  await l2.kill();
  const leader = await cluster.leader();
  await binraft(at, "member", "replace", leader.name, "l1");
  at = node("l1");
  await soon("a new leader", async () => (await cluster.leader()) !== leader);
  assert.match(await members(at), /l1 voter/);
  assert.doesNotMatch(await members(at), new RegExp(leader.name));
  await leader.kill();
  const source = servers[2]!;
  await source.exec("INSERT INTO shop.orders (region) VALUES ('replaced')");
  const wanted = GtidSet.parse(await source.value("SELECT @@GLOBAL.gtid_executed"));
  for (const one of cluster.nodes.filter(({ running }) => running)) {
    await soon(`${one.name} to have it`, async () =>
      GtidSet.parse((await one.status()).stream.executed).containsSet(wanted),
    );
  }
  // A voter by HTTP, from one that does not lead: two are left.
  const rest = cluster.nodes.filter(({ running, name }) => running && name !== "l1");
  const goes = rest.find((one) => one !== at)!;
  await http(at, "DELETE", `/v1/members/${goes.name}`);
  await soon("it to be gone", async () => !(await members(at)).includes(goes.name));
});

test("no secret is in any answer, log or file", async () => {
  const tokens = await Promise.all(
    cluster.nodes.map(async ({ dataDir }) =>
      (await readFile(path.join(dataDir, "admin-token"), "utf8")).trim(),
    ),
  );
  const secrets = [...Object.values(CANARY), ...tokens];
  for (const secret of secrets) assert.ok(!said.includes(secret), `"${secret}" was answered`);
  const own = ["cluster-secret", "replica-password", "puller", "admin-token"];
  const entries = await readdir(dir.path, { recursive: true, withFileTypes: true });
  let seen = 0;
  for (const entry of entries) {
    if (!entry.isFile() || own.includes(entry.name)) continue;
    const bytes = await readFile(path.join(entry.parentPath, entry.name));
    seen++;
    for (const secret of secrets)
      assert.ok(!bytes.includes(secret), `${entry.parentPath}/${entry.name} holds "${secret}"`);
  }
  assert.ok(seen > 20, `${seen} files were read`);
});

/**
 * The command line as an operator uses it: real processes, real files, a real source. What is
 * asserted are exit codes, what is said, and that no secret is ever said.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { cp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { after, before, test } from "node:test";
import { freePort, MysqlServer } from "../../demo/mysql/server.ts";
import { createSourceUser, SOURCE_USER } from "../support/local-node.ts";
import { type TempDir, tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const MAIN = path.join(import.meta.dirname, "../../runtime/node/main.ts");
const REPLICA_PASSWORD = "canary-replica-password";
const STOP_LIMIT_MS = 25_000;

let dir: TempDir;
let mysqlPort: number;
let adminPort: number;
const children: ChildProcess[] = [];
/** Everything that any process said. */
let said = "";

before(async () => {
  dir = await tempDir("cli");
  await writeFile(path.join(dir.path, "replica-password"), `${REPLICA_PASSWORD}\n`, {
    mode: 0o600,
  });
  await writeFile(path.join(dir.path, "puller"), SOURCE_USER.password, { mode: 0o600 });
  await configure();
});

after(async () => {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  await dir.remove();
});

async function configure(): Promise<void> {
  mysqlPort = await freePort();
  adminPort = await freePort();
  await writeFile(
    path.join(dir.path, "binraft.toml"),
    `[node]
name = "cli-test"
data_dir = "data"
[listen]
mysql = "127.0.0.1:${mysqlPort}"
admin = "127.0.0.1:${adminPort}"
[accounts]
repl = { password_file = "replica-password" }
[storage]
segment_bytes = "1MiB"
`,
  );
}

interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function launch(args: readonly string[]): { child: ChildProcess; ended: Promise<Ran> } {
  const env: NodeJS.ProcessEnv = { PATH: process.env["PATH"] };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: dir.path, env });
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    said += text;
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    said += text;
  });
  const ended = new Promise<Ran>((resolve) => {
    child.on("close", (exit) => resolve({ exit, stdout, stderr }));
  });
  return { child, ended };
}

const binraft = (...args: readonly string[]): Promise<Ran> => launch(args).ended;

async function startNode(): Promise<{ child: ChildProcess; ended: Promise<Ran> }> {
  const node = launch(["start"]);
  const ready = async (): Promise<boolean> => {
    if (node.child.exitCode !== null) throw new Error((await node.ended).stderr);
    return (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).ok;
  };
  await waitFor(ready, { deadlineMs: 30_000, what: "the node to be ready" });
  return node;
}

async function stopNode({
  child,
  ended,
}: {
  child: ChildProcess;
  ended: Promise<Ran>;
}): Promise<Ran> {
  const began = performance.now();
  child.kill("SIGTERM");
  const ran = await ended;
  assert.ok(performance.now() - began < STOP_LIMIT_MS, "it stopped in time");
  return ran;
}

test("a node starts, answers, and stops with 0", async () => {
  const node = await startNode();
  try {
    const status = await binraft("status");
    assert.equal(status.exit, 0, status.stderr);
    assert.match(status.stdout, /node +cli-test in local/);
    assert.match(status.stdout, new RegExp(`server +127\\.0\\.0\\.1:${mysqlPort}, TLS offered`));
    assert.match((await binraft("account", "list")).stdout, /repl +no/);
    const set = await binraft("account", "set", "two", "--password-file", "replica-password");
    assert.equal(set.exit, 0, set.stderr);
    const remove = await binraft("account", "remove", "two");
    assert.equal(remove.exit, 0, remove.stderr);
  } finally {
    const { exit, stderr } = await stopNode(node);
    assert.equal(exit, 0, stderr);
    for (const line of stderr.trim().split("\n")) JSON.parse(line);
  }
  const gone = await binraft("status");
  assert.equal(gone.exit, 3);
  assert.match(gone.stderr, /BR5001/);
});

test("a second node on the same directory or ports is refused", async () => {
  const node = await startNode();
  try {
    const twice = await binraft("start");
    assert.equal(twice.exit, 1);
    assert.match(twice.stderr, /in use.*BR1101/);
    const ports = await binraft("start", "--node-data-dir", "other");
    assert.equal(ports.exit, 1);
    assert.match(ports.stderr, /the address is in use \(BR1102\)/);
    const verify = await binraft("log", "verify");
    assert.equal(verify.exit, 1);
    assert.match(verify.stderr, /A node is running.*BR1101/);
  } finally {
    await stopNode(node);
  }
});

test("SIGTERM ends a node in time though connections hang", async () => {
  const node = await startNode();
  const idle = net.connect(mysqlPort, "127.0.0.1");
  const silent = net.connect(adminPort, "127.0.0.1");
  await Promise.all(
    [idle, silent].map((one) => new Promise((resolve) => one.once("connect", resolve))),
  );
  try {
    assert.equal((await stopNode(node)).exit, 0);
  } finally {
    idle.destroy();
    silent.destroy();
  }
});

test("log verify walks a stopped node's log; damage ends verify and start with 1 and a way out", async () => {
  const whole = await binraft("log", "verify");
  assert.equal(whole.exit, 0, whole.stderr);
  assert.match(whole.stdout, /The log is whole/);
  await cp(path.join(dir.path, "data"), path.join(dir.path, "damaged"), { recursive: true });
  const [segment] = await readdir(path.join(dir.path, "damaged/log"));
  const file = path.join(dir.path, "damaged/log", segment!);
  const bytes = await readFile(file);
  bytes.fill(0xa5, 0, 16 * 1024);
  await writeFile(file, bytes);
  const damaged = await binraft("log", "verify", "damaged", "--json");
  assert.equal(damaged.exit, 1);
  assert.equal(
    (JSON.parse(damaged.stdout) as { segments: { verdict: string }[] }).segments[0]!.verdict,
    "damaged",
  );
  const started = await binraft("start", "--node-data-dir", "damaged");
  assert.equal(started.exit, 1);
  assert.match(started.stderr, /BR1201\)\n {2}next: binraft log verify/);
  assert.ok(!started.stderr.includes("    at "), "no stack");
  const nothing = await binraft("log", "verify", "mistyped");
  assert.equal(nothing.exit, 1);
  await assert.rejects(stat(path.join(dir.path, "mistyped")), "it makes no directory");
});

test("start stops at a format that it does not know", async () => {
  await cp(path.join(dir.path, "data"), path.join(dir.path, "newer"), { recursive: true });
  for (const slot of (await readdir(path.join(dir.path, "newer"))).filter((name) =>
    name.startsWith("MANIFEST"),
  )) {
    const file = path.join(dir.path, "newer", slot);
    const bytes = await readFile(file);
    bytes.writeUInt32LE(99, 8);
    await writeFile(file, bytes);
  }
  const started = await binraft("start", "--node-data-dir", "newer");
  assert.equal(started.exit, 1);
  assert.match(started.stderr, /format 99.*BR1202/);
});

test("wrong options end with 2 and say what is meant", async () => {
  const typo = await binraft("start", "--listen-mysqll", "x");
  assert.equal(typo.exit, 2);
  assert.match(typo.stderr, /Did you mean --listen-mysql/);
  const open = await binraft("start", "--listen-admin", "0.0.0.0:8306");
  assert.equal(open.exit, 2);
  assert.match(open.stderr, /BR1005/);
});

test("a source is set, checked, pulled and exported byte for byte", async () => {
  const source = await MysqlServer.start({ serverId: 1 });
  const node = await startNode();
  try {
    await createSourceUser(source);
    await source.exec(
      "CREATE DATABASE d; CREATE TABLE d.t (i INT PRIMARY KEY); INSERT INTO d.t VALUES (1), (2)",
    );
    const url = `mysql://${SOURCE_USER.user}@127.0.0.1:${source.port}`;
    const ca = path.join(source.binlogDir, "ca.pem");
    const set = await binraft(
      "syncer",
      "set",
      url,
      "--password-file",
      "puller",
      "--tls",
      "verify-ca",
      "--tls-ca",
      ca,
    );
    assert.equal(set.exit, 0, set.stderr);
    const check = await binraft("syncer", "check");
    assert.equal(check.exit, 0, check.stdout);
    const executed = await source.value("SELECT @@GLOBAL.gtid_executed");
    const caughtUp = async (): Promise<boolean> =>
      (JSON.parse((await binraft("status", "--json")).stdout) as { stream: { executed: string } })
        .stream.executed === executed;
    await waitFor(caughtUp, { deadlineMs: 30_000, what: "the node to catch up", pollMs: 200 });
    assert.match((await binraft("status")).stdout, /syncer +RUNNING/);
    assert.equal((await binraft("doctor")).exit, 0);

    await source.exec("FLUSH BINARY LOGS");
    const [name] = (await source.query("SHOW BINARY LOGS"))[0]!;
    const closed = async (): Promise<boolean> =>
      (await binraft("binlog", "list")).stdout.includes("rotate");
    await waitFor(closed, { deadlineMs: 30_000, what: "the rotation", pollMs: 200 });
    const exported = await binraft("binlog", "export", name!, "--output", "exported");
    assert.equal(exported.exit, 0, exported.stderr);
    const ours = await readFile(path.join(dir.path, "exported"));
    assert.ok(
      ours.equals(await readFile(path.join(source.binlogDir, name!))),
      "equal to the source's file",
    );

    assert.equal((await binraft("syncer", "stop")).exit, 0);
    await waitFor(async () => (await binraft("syncer", "show")).stdout.includes("STOPPED"), {
      deadlineMs: 10_000,
      what: "the syncer to stop",
      pollMs: 200,
    });
    const asked = await binraft("syncer", "new-timeline");
    assert.equal(asked.exit, 2);
    assert.match(asked.stdout, /binraft syncer new-timeline --confirm [0-9a-f]{32}/);
  } finally {
    await stopNode(node);
    await source.remove();
  }
});

test("no secret is in anything that was said, nor in the data directory's log", async () => {
  const token = (await readFile(path.join(dir.path, "data/admin-token"), "utf8")).trim();
  const secrets = [token, REPLICA_PASSWORD, SOURCE_USER.password];
  for (const secret of secrets) assert.ok(!said.includes(secret), `"${secret}" was said`);
  assert.equal((await stat(path.join(dir.path, "data/admin-token"))).mode & 0o777, 0o600);
  for (const name of await readdir(path.join(dir.path, "data/log"))) {
    const bytes = await readFile(path.join(dir.path, "data/log", name));
    for (const secret of secrets) assert.ok(!bytes.includes(secret), `${name} holds a secret`);
  }
});

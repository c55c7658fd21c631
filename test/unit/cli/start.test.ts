import assert from "node:assert/strict";
import { test } from "node:test";
import { GEO } from "../../../geo/policies.ts";
import { type Machine, World } from "../../../runtime/memory/world.ts";
import type { ProblemDocument } from "../../../src/admin/problem.ts";
import { decodeText, encodeText } from "../../../src/base/bytes.ts";
import { runCli } from "../../../src/cli/cli.ts";
import type { Platform } from "../../../src/platform/platform.ts";

const DATA = "/data";

/** `binraft start` on a simulated machine. */
class Started {
  readonly world: World;
  readonly machine: Machine;
  exit: number | null = null;

  constructor(toml = "", world: World = new World(3), name = "a") {
    this.world = world;
    this.machine = world.machine(name);
    this.machine.process.files.set(
      "binraft.toml",
      encodeText(`[node]\ndata_dir = "${DATA}"\n[storage]\nsegment_bytes = "64KiB"\n${toml}`),
    );
  }

  start(...args: readonly string[]): void {
    this.exit = null;
    this.machine.process.argv = ["start", ...args];
    this.run(this.machine.start());
  }

  run(platform: Platform): void {
    const running = runCli({
      platform,
      policies: GEO,
      fetch: () => Promise.reject(new Error("no network")),
      demo: () => Promise.reject(new Error("no demo")),
      hosting: () => null,
    });
    void running.then((code) => {
      this.exit = code;
    });
  }

  get said(): string {
    return this.machine.process.output.stderr;
  }

  async until(condition: () => boolean): Promise<void> {
    assert.ok(await this.world.time.runUntil(condition, 120_000), this.said);
  }

  /** Until /readyz is answered so. */
  async answers(status: number): Promise<void> {
    const ask = (): Promise<Response | null> => this.ask("GET", "/readyz").catch(() => null);
    for (let tries = 0; (await ask())?.status !== status; tries++) {
      assert.ok(tries < 1000, this.said);
      await this.world.time.advance(100);
    }
  }

  /** A request to the admin port, with the token unless `headers` says otherwise. */
  ask(method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const token = decodeText(this.machine.process.files.get(`${DATA}/admin-token`)!).trim();
    const authorization = `Bearer ${token}`;
    const headers = { authorization, "content-type": "application/json", ...init.headers };
    const request = new Request(`http://127.0.0.1:8306${path}`, { ...init, method, headers });
    return this.world.time.run(() => this.world.http.fetch(this.machine.name, 8306, request));
  }
}

/** A node of a cluster on its machine. */
function ofCluster(world: World, name: string): Started {
  const peer = `${world.machine(name).address}:4306`;
  const toml = `[listen]\npeer = "${peer}"\n[cluster]\nsecret_file = "secret"`;
  const node = new Started(toml, world, name);
  node.machine.process.files.set("secret", encodeText("a secret of the whole cluster"));
  return node;
}

/** Whatever it is asked it gives the same sentence, to those who may ask; and it lives. */
async function onlySays(node: Started, detail: string): Promise<void> {
  assert.equal((await node.ask("GET", "/livez")).status, 200);
  const stranger = { headers: { authorization: "" } };
  assert.equal((await node.ask("GET", "/readyz", stranger)).status, 503);
  for (const path of ["/metrics", "/v1/status", "/v1/cluster", "/openapi.json"])
    assert.equal((await node.ask("GET", path, stranger)).status, 401, path);
  const calls = [
    ["GET", "/readyz"],
    ["GET", "/metrics"],
    ["GET", "/v1/status"],
    ["POST", "/v1/members"],
  ] as const;
  for (const [method, path] of calls) {
    const answer = await node.ask(method, path);
    assert.equal(answer.headers.get("content-type"), "application/problem+json", path);
    const problem = (await answer.json()) as ProblemDocument;
    assert.deepEqual([problem.status, problem.code, problem.detail], [503, "BR4009", detail]);
    assert.notEqual(problem.next, "");
  }
}

test("start is ready, and ends with 0 at SIGTERM, within 25 s", async () => {
  const node = new Started();
  node.start();
  await node.until(() => node.said.includes("binraft is ready"));
  assert.match(node.said, /"adminToken":"file:\/data\/admin-token"/);
  const began = node.world.time.now;
  node.machine.signal("SIGTERM");
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 0, node.said);
  assert.ok(node.world.time.now - began < 25_000);
});

test("start ends with 1 and a sentence when the log fails under it", async () => {
  const node = new Started();
  node.start();
  await node.until(() => node.said.includes("binraft is ready"));
  node.machine.disk(DATA).faults.syncError = "EIO";
  // The next segment is being prepared: that is synced too.
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 1);
  assert.match(node.said, /log can no longer be written.*BR1204/s);
  assert.ok(!node.said.includes("    at "));
});

test("start ends with 1 on a full disk, and says what to do", async () => {
  const node = new Started();
  node.machine.disk(DATA).faults.capacityBytes = 10_000;
  node.start();
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 1);
  assert.match(node.said, /disk is full.*BR1203\)\n {2}next: free space/is);
});

test("start ends with 1 when a secret cannot be read", async () => {
  const node = new Started('[accounts]\nrepl = { password_file = "/nowhere" }');
  node.start();
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 1);
  assert.match(
    node.said,
    /Cannot read "\/nowhere" \(accounts\.repl\.password_file\): it does not exist \(BR1006\)/,
  );
});

test("a second process is told that the directory is in use, though its ports are too", async () => {
  const node = new Started();
  node.start();
  await node.until(() => node.said.includes("binraft is ready"));
  node.run(node.machine.startBeside().platform);
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 1);
  assert.match(node.said, /Data directory is in use.*BR1101/);
});

test("a node that waits for its place lives and says so, and answers as usual once it was invited", async () => {
  const world = new World(4);
  const [first, fresh] = [ofCluster(world, "a"), ofCluster(world, "b")];
  first.start("--bootstrap");
  await first.until(() => first.said.includes("binraft is ready"));
  // From here on all that is said is the second one's: a real process has its logger for itself.
  fresh.start();
  await fresh.until(() => fresh.said.includes("has no place in a cluster yet"));
  await onlySays(
    fresh,
    `This node has no place in a cluster yet: run binraft member add ${fresh.machine.address}:4306 on a node of the ` +
      "cluster, or start with --bootstrap",
  );
  const address = `${fresh.machine.address}:4306`;
  const added = await first.ask("POST", "/v1/members", { body: JSON.stringify({ address }) });
  assert.equal(added.status, 200, await added.text());
  await fresh.until(() => fresh.said.includes("binraft is ready"));
  await fresh.answers(200);
  assert.equal((await fresh.ask("GET", "/v1/status")).status, 200);
});

test("a node that waits for its place ends with 0 at SIGTERM", async () => {
  const node = ofCluster(new World(5), "a");
  node.start();
  await node.until(() => node.said.includes("has no place in a cluster yet"));
  node.machine.signal("SIGTERM");
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 0, node.said);
  assert.match(node.said, /stopped before it was ready/);
});

test("a node that reads its log lives and says so", async () => {
  const node = new Started();
  node.start();
  await node.until(() => node.said.includes("binraft is ready"));
  node.machine.kill();
  node.machine.process.output.stderr = "";
  node.start();
  node.machine.disk(DATA).faults.callMs = 1_000;
  await node.answers(503);
  await onlySays(node, "This node starts: it reads its log");
  await node.until(() => node.said.includes("binraft is ready"));
  assert.equal((await node.ask("GET", "/v1/status")).status, 200);
});

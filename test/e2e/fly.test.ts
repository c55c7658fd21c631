/**
 * An app on Fly.io from its first machine to three regions, by the command line: what is in
 * docs/11-fly.md. Real processes, and a fake name server for Fly's DNS.
 */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import type { NodeProcess } from "../../demo/node-process.ts";
import { RUNTIMES } from "../../demo/runtimes.ts";
import type { MemberStatus } from "../../src/cluster/operations.ts";
import { ADMIN_TOKEN, APP, FlyApp } from "../support/fly-app.ts";
import { runBinraft } from "../support/run-binraft.ts";
import { whyNot } from "../support/runtimes.ts";
import { tempDir } from "../support/temp-dir.ts";
import { waitFor } from "../support/wait-for.ts";

const DEADLINE_MS = 60_000;

let app: FlyApp;
let iad: NodeProcess;
let fra: NodeProcess;
let syd: NodeProcess;

before(async () => {
  app = await FlyApp.start();
});

after(async () => {
  await app?.stop();
});

/** A failed wait says what the machines said. */
async function telling(work: () => Promise<void>, of: FlyApp = app): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await of.lastWords()}`, { cause: error });
  }
}

/** `binraft …` against a machine, as through `fly proxy`. */
async function binraft(node: NodeProcess, ...args: readonly string[]): Promise<string> {
  const at = ["--server", node.adminUrl, "--token", ADMIN_TOKEN];
  const ran = await runBinraft(app.folder, [...args, ...at]);
  assert.equal(ran.exit, 0, `binraft ${args.join(" ")}: ${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

async function memberOf(node: NodeProcess, name: string): Promise<MemberStatus | null> {
  return (await node.cluster()).members.find((member) => member.name === name) ?? null;
}

async function caughtUp(node: NodeProcess, name: string): Promise<void> {
  const isSo = async (): Promise<boolean> => {
    const member = await memberOf(node, name);
    return member?.connected === true && member.lagEntries === 0;
  };
  await waitFor(isSo, { deadlineMs: DEADLINE_MS, what: `${name} to catch up` });
}

/** "name region role". */
const members = async (node: NodeProcess): Promise<string[]> =>
  (await node.cluster()).members.map(({ name, region, role }) => `${name} ${region} ${role}`);

function write(node: NodeProcess, headers: Record<string, string> = {}): Promise<Response> {
  return node.fetch("/v1/cluster/retention", {
    method: "PUT",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ bytes: 1_000_000_000 + Math.floor(Math.random() * 1e6), hours: null }),
  });
}

/** The log grows, which needs a quorum. */
async function grow(): Promise<void> {
  for (let i = 0; i < 5; i++) assert.equal((await write(iad)).status, 200);
}

test("without its secrets a machine ends and says which command sets them", async () => {
  await using dir = await tempDir("fly-secrets");
  const env = { FLY_APP_NAME: APP, FLY_MACHINE_ID: "d1", FLY_REGION: "iad" };
  const ran = await runBinraft(dir.path, ["start"], 30_000, env);
  assert.equal(ran.exit, 2);
  assert.match(ran.stderr, /run fly secrets set BINRAFT_CLUSTER_SECRET=…/);
  assert.match(ran.stderr, /run fly secrets set BINRAFT_ADMIN_TOKEN=…/);
});

test("the first machine forms a cluster of one, and is who Fly says", () =>
  telling(async () => {
    iad = await app.create("d891a", "iad");
    await iad.start();
    const [only] = (await iad.cluster()).members;
    assert.deepEqual(await members(iad), ["d891a iad voter"]);
    assert.equal(only!.peerAddress, "d891a.vm.demo.internal:4306");
    assert.ok(only!.leader);
  }));

test("machines of other regions join, and the leader makes them voters by itself", () =>
  telling(async () => {
    // With ids below the first one's: it has the cluster, whoever is the smallest.
    fra = await app.create("148ed", "fra");
    syd = await app.create("2860d", "syd");
    await Promise.all([fra.start(), syd.start()]);
    const roles = async () => (await members(iad)).sort();
    const wanted = "148ed fra voter,2860d syd voter,d891a iad voter";
    const all = async () => (await roles()).join() === wanted;
    await waitFor(all, { deadlineMs: DEADLINE_MS, what: "three voters" });
    assert.match(await binraft(fra, "member", "list"), /2860d +syd/);
  }));

test("a write that came through Fly's proxy is sent on to the leader's machine, any other is done", () =>
  telling(async () => {
    const proxied = { "fly-request-id": "01JTEST-iad" };
    const answer = await write(fra, proxied);
    assert.equal(
      answer.headers.get("fly-replay"),
      "instance=d891a;timeout=5s;fallback=prefer_self",
    );
    const sentOn = { ...proxied, "fly-replay-src": "instance=148ed" };
    const failed = { ...proxied, "fly-replay-failed": "instance=d891a" };
    for (const headers of [{}, sentOn, failed]) {
      const done = await write(fra, headers);
      assert.deepEqual([done.status, done.headers.get("fly-replay")], [200, null]);
    }
    const led = await write(iad, proxied);
    assert.deepEqual([led.status, led.headers.get("fly-replay")], [200, null]);
  }));

test("the admin API is called by the app's names, without TLS and not without the token", () =>
  telling(async () => {
    const status = (host: string, headers: Record<string, string> = {}): Promise<number> =>
      new Promise((resolve, reject) => {
        const at = { host: fra.host, port: fra.adminPort, path: "/v1/status" };
        const request = http.get({ ...at, headers: { host, ...headers } }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        request.on("error", reject);
      });
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    for (const host of [
      "148ed.vm.demo.internal:8306",
      "demo.internal:8306",
      "fra.demo.internal",
      "demo.flycast",
      "demo.fly.dev",
      "localhost:8306",
    ]) {
      assert.equal(await status(host, { authorization }), 200, host);
      assert.equal(await status(host), 401, host);
    }
    assert.equal(await status("demo.example", { authorization }), 403);
  }));

test("a machine that moves to another host has another address: the others find it by its name", () =>
  telling(async () => {
    await syd.stop();
    const { host } = syd;
    syd = await app.move(syd);
    assert.notEqual(syd.host, host);
    await syd.start();
    await caughtUp(iad, "2860d");
    assert.equal((await memberOf(iad, "2860d"))!.peerAddress, "2860d.vm.demo.internal:4306");
    await grow();
    await caughtUp(iad, "2860d");
  }));

test("a machine is replaced: a new one with an empty volume joins and takes the old one's place", () =>
  telling(async () => {
    await app.destroy(fra);
    fra = await app.create("e9000", "fra");
    await fra.start();
    await caughtUp(iad, "e9000");
    await binraft(iad, "member", "replace", "148ed", "e9000");
    assert.deepEqual((await members(iad)).sort(), [
      "2860d syd voter",
      "d891a iad voter",
      "e9000 fra voter",
    ]);
    await grow();
  }));

async function isRefused(node: NodeProcess, why: RegExp): Promise<void> {
  const says = async (): Promise<boolean> =>
    why.test(await (await fetch(`${node.adminUrl}/readyz?verbose`)).text());
  await waitFor(says, { deadlineMs: DEADLINE_MS, what: `${node.name} to be refused` });
  assert.match(await node.said(), why);
}

test("a volume with old data is refused, on its machine and on another; an empty one is not", () =>
  telling(async () => {
    assert.equal(await fra.stop(), 0);
    const copy = path.join(app.folder, "old-volume");
    await cp(fra.dataDir, copy, { recursive: true });
    await fra.start();
    await caughtUp(iad, "e9000");
    await grow();
    await caughtUp(iad, "e9000");
    await app.destroy(fra);
    // As by `fly scale count` without --with-new-volumes: another machine gets what was left.
    const other = await app.create("a1111", "fra", { dataDir: copy });
    other.launch();
    await isRefused(other, /its disk was restored.*joins as a new learner/);
    await app.destroy(other);
    // As by a snapshot of the volume on the machine itself.
    const stale = await app.create("e9000", "fra", { dataDir: copy });
    stale.launch();
    await isRefused(stale, /its disk was restored.*joins as a new learner/);
    await app.destroy(stale);
    await grow();
    // --with-new-volumes
    fra = await app.create("b2222", "fra");
    await fra.start();
    await caughtUp(iad, "b2222");
    await binraft(iad, "member", "replace", "e9000", "b2222");
    assert.deepEqual((await members(iad)).sort(), [
      "2860d syd voter",
      "b2222 fra voter",
      "d891a iad voter",
    ]);
  }));

test("an empty machine beside one that is stopped forms nothing, and says for whom it waits", async () => {
  const other = await FlyApp.start();
  await telling(async () => {
    const stopped = await other.create("d1", "iad");
    other.setStarted(stopped, false);
    const fresh = await other.create("a1", "iad");
    fresh.launch();
    await waitFor(async () => /exactly 1 nodes exist.*d1\.vm\.demo/.test(await fresh.said()), {
      deadlineMs: DEADLINE_MS,
      what: "it to say so",
    });
    assert.equal(await fresh.ready(), false);
    await other.destroy(stopped);
    await fresh.untilReady();
    assert.deepEqual(await members(fresh), ["a1 iad voter"]);
  }, other).finally(() => other.stop());
});

const missing = RUNTIMES.map(whyNot).find((why) => why !== false) ?? false;

test("three that start at once, on Node, Bun and Deno, are one cluster", {
  skip: missing,
}, async () => {
  const mixed = await FlyApp.start({ env: { BINRAFT_CLUSTER_BOOTSTRAP_EXPECT: "3" } });
  await telling(async () => {
    const regions = ["iad", "iad", "fra"];
    const nodes: NodeProcess[] = [];
    for (const [at, runtime] of RUNTIMES.entries())
      nodes.push(await mixed.create(`c${at}`, regions[at]!, { runtime }));
    for (const node of nodes) node.launch();
    await Promise.all(nodes.map((node) => node.untilReady()));
    const wanted = ["c0 iad voter", "c1 iad voter", "c2 fra voter"];
    for (const node of nodes) {
      // What a node tells of itself reaches the others a moment after it is ready.
      const knowsAll = async () => (await members(node)).sort().join() === wanted.join();
      await waitFor(knowsAll, { deadlineMs: DEADLINE_MS, what: `${node.name} to know all three` });
    }
    const views = await Promise.all(nodes.map((node) => node.cluster()));
    assert.equal(new Set(views.map(({ clusterId }) => clusterId)).size, 1);
    for (const node of nodes) assert.match(await node.said(), /"node":"c\d","region":"(iad|fra)"/);
  }, mixed).finally(() => mixed.stop());
});

for (const runtime of RUNTIMES) {
  test(`a machine alone on ${runtime} begins, and DNS discovery finds it`, {
    skip: whyNot(runtime),
  }, async () => {
    const lone = await FlyApp.start();
    await telling(async () => {
      const first = await lone.create("d1", "iad", { runtime });
      await first.start();
      // Nobody of Fly: it is told of the name, whose address is the first one's.
      lone.dns.records.set("nodes.internal", { AAAA: [`::ffff:${first.host}`] });
      const second = await lone.outside("second", "nodes.internal", runtime);
      await second.start();
      const joined = async (): Promise<boolean> =>
        (await members(second)).join() === "d1 iad voter,second local learner";
      await waitFor(joined, { deadlineMs: DEADLINE_MS, what: "it to know that it is a learner" });
    }, lone).finally(() => lone.stop());
  });
}

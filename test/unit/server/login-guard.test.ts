import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { LoginGuard, type PendingLogin } from "../../../src/server/login-guard.ts";
import { waitFor } from "../../support/wait-for.ts";
import { client, platform, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

function smallStream(): MemoryStream {
  const stream = new MemoryStream(SOURCE);
  stream.addFile(new FileMaker("").transactions(1, 3).file, "binlog.000001");
  return stream;
}

class Door {
  now = 0;
  readonly closed: string[] = [];
  readonly guard: LoginGuard;

  constructor(maxPending: number, maxPendingPerAddress: number) {
    const limits = { maxPending, maxPendingPerAddress, maxDelayMs: 5000 };
    this.guard = new LoginGuard(limits, { mono: () => this.now });
  }

  enter(host: string, name: string, stage: PendingLogin["stage"] = "silent"): PendingLogin | null {
    const place = this.guard.enter(host, () => this.closed.push(name));
    if (place !== null) place.stage = stage;
    return place;
  }
}

test("LoginGuard: delays grow per address and user", () => {
  let now = 0;
  const clock = { ...platform.clock, mono: () => now };
  const guard = new LoginGuard({ maxPending: 3, maxPendingPerAddress: 2, maxDelayMs: 5000 }, clock);
  assert.equal(guard.delayMs("a", "repl"), 0);
  const delays: number[] = [];
  for (let i = 0; i < 9; i++) {
    guard.failed("a", "repl");
    delays.push(guard.delayMs("a", "repl"));
    now += delays.at(-1)!;
  }
  assert.ok(
    delays.every((delay, i) => i === 0 || delay >= delays[i - 1]!),
    `${delays}`,
  );
  assert.equal(delays.at(-1), 5000);
  assert.equal(guard.delayMs("b", "repl"), 0, "another address is not held up");
  assert.equal(guard.delayMs("a", "other"), 0, "nor another user");
  guard.succeeded("a", "repl");
  assert.equal(guard.delayMs("a", "repl"), 0);
  for (let i = 0; i < 5000; i++) guard.failed(`x${i}`, "repl");
  guard.failed("a", "repl");
  now += 11 * 60_000;
  assert.equal(guard.delayMs("a", "repl"), 0, "forgotten");
});

test("who says nothing makes room, the oldest first; who waits after a failure comes next", () => {
  const door = new Door(8, 8);
  door.enter("a", "talks", "talking");
  door.enter("b", "first");
  door.enter("c", "waits", "delayed");
  door.enter("d", "second");
  door.enter("e", "talks too", "talking");
  door.enter("f", "and this", "talking");
  assert.equal(door.guard.pending, 6, "two places of eight are kept for addresses that are known");
  for (const name of ["x", "y", "z"]) assert.ok(door.enter("g", name, "talking"));
  assert.deepEqual(door.closed, ["first", "second", "waits"]);
  assert.equal(door.enter("h", "late", "talking"), null, "all others talk");
  door.now = 1_000;
  assert.ok(door.enter("h", "late", "talking"), "for a second, then they may have to go");
  assert.deepEqual(door.closed.at(-1), "talks");
  assert.equal(door.guard.pending, 6);
});

test("an address that is full makes room of its own silent connections only", () => {
  const door = new Door(8, 2);
  door.enter("a", "other");
  door.enter("b", "one");
  door.enter("b", "two", "talking");
  assert.ok(door.enter("b", "three", "talking"));
  assert.deepEqual(door.closed, ["one"]);
  assert.equal(door.enter("b", "four"), null);
});

test("addresses that logged in before have places of their own", () => {
  const door = new Door(8, 8);
  door.guard.succeeded("known", "repl");
  for (let i = 0; i < 6; i++) assert.ok(door.enter(`s${i}`, `stranger ${i}`, "talking"));
  assert.equal(door.enter("s7", "one more"), null);
  assert.ok(door.enter("known", "replica", "talking"));
  assert.ok(door.enter("known", "replica", "talking"));
  assert.equal(door.guard.pending, 8);
  assert.deepEqual(door.closed, []);
  door.now = 1_000;
  assert.ok(door.enter("known", "replica", "talking"));
  assert.deepEqual(door.closed, ["stranger 0"]);
  for (let i = 0; i < 5000; i++) door.guard.succeeded(`n${i}`, "repl");
  door.now = 0;
  assert.equal(door.enter("known", "forgotten", "talking")?.known ?? false, false);
});

test("IPv6 counts by /64, also for delays", () => {
  const door = new Door(8, 2);
  door.enter("2001:db8::1", "one", "talking");
  door.enter("2001:db8::2", "two", "talking");
  assert.equal(door.enter("2001:db8:0:0:9::3", "three"), null);
  assert.ok(door.enter("2001:db8:0:1::3", "next net", "talking"));
  door.guard.failed("2001:db8::1", "repl");
  assert.ok(door.guard.delayMs("2001:db8::ffff", "repl") > 0);
});

test("silent sockets cannot lock a replica out", async () => {
  await using run = await serve(smallStream(), {
    loginLimits: { maxPending: 8, maxPendingPerAddress: 4, maxDelayMs: 5000 },
  });
  const sockets = Array.from({ length: 20 }, () => connectTcp(run.port, "127.0.0.1"));
  for (const socket of sockets) socket.on("error", () => {}).on("data", () => {});
  await waitFor(() => run.server.status().counters.brokenLogins >= 16, {
    deadlineMs: 5000,
    what: "the oldest to make room",
  });
  assert.equal(run.server.status().pendingLogins, 4);
  // While four of them still hold all the places of this address.
  const sql = await client(run.port);
  assert.deepEqual((await sql.query("select 1")).rows, [["1"]]);
  sql.close();
  for (const socket of sockets) socket.destroy();
});

test("a client that says nothing is closed long before one that talks", async () => {
  await using run = await serve(smallStream(), { firstByteTimeoutMs: 50, loginTimeoutMs: 600_000 });
  const silent = connectTcp(run.port, "127.0.0.1");
  const talking = connectTcp(run.port, "127.0.0.1");
  talking.on("data", () => talking.write(new Uint8Array(1)));
  for (const socket of [silent, talking]) socket.on("error", () => {}).resume();
  await new Promise((resolve) => silent.on("close", resolve));
  assert.equal(run.server.status().pendingLogins, 1);
  talking.destroy();
});

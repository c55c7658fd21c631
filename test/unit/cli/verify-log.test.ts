import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCrypto } from "../../../runtime/node/crypto.ts";
import { type LogReport, verifyLog } from "../../../src/cli/verify-log.ts";
import { LogWorld, payload } from "../storage/world-log.ts";

async function filled(): Promise<LogWorld> {
  const world = new LogWorld(5);
  await world.open();
  for (let i = 0; i < 60; i++) await world.append([payload(i, 3000)], world.log!.lastIndex);
  assert.ok(world.log!.segmentCount > 2);
  return world;
}

async function verify(world: LogWorld): Promise<LogReport> {
  const platform = world.world.machine("a").start();
  const report = await world.settle(
    verifyLog(platform.disk("data"), platform.clock, nodeCrypto.crc32),
  );
  assert.ok(report);
  return report;
}

/** Changes one byte of a file, with the node stopped. */
async function damage(world: LogWorld, path: string, at: number): Promise<void> {
  const platform = world.world.machine("a").start();
  const change = async (): Promise<void> => {
    const file = await platform.disk("data").open(path, "rw");
    const byte = new Uint8Array(1);
    await file.read(at, byte);
    byte[0] = byte[0]! ^ 0xff;
    await file.write(at, [byte]);
    await file.sync();
    await file.close();
  };
  await world.settle(change());
}

test("verifyLog finds a whole log whole, entry by entry", async () => {
  const world = await filled();
  await world.settle(world.log!.close());
  const report = await verify(world);
  assert.ok(
    report.segments.every((segment) => segment.verdict === "ok"),
    JSON.stringify(report.segments),
  );
  assert.equal(
    report.segments.reduce((sum, one) => sum + one.entries, 0),
    60,
  );
  assert.equal(report.segments.at(-1)!.lastIndex, 60);
});

test("verifyLog says that a node has the directory", async () => {
  const world = await filled();
  const { platform, end } = world.world.machine("a").startBeside();
  const locked = verifyLog(platform.disk("data"), platform.clock, nodeCrypto.crc32);
  await assert.rejects(world.settle(locked), { code: "ELOCKED" });
  end();
});

test("verifyLog finds a changed payload, a changed header and a missing segment", async () => {
  const world = await filled();
  await world.settle(world.log!.close());
  const { segments } = await verify(world);
  await damage(world, segments[0]!.path, 9000);
  const first = (await verify(world)).segments;
  assert.deepEqual(first.map((one) => one.verdict).slice(0, 2), ["damaged", "ok"]);
  assert.match(first[0]!.findings[0]!, /^entries 1 to 1: /);

  await damage(world, segments[1]!.path, 40);
  assert.equal((await verify(world)).segments[1]!.verdict, "ok", "the header has a second copy");
  await damage(world, segments[1]!.path, 4096 + 40);
  assert.match((await verify(world)).segments[1]!.findings[0]!, /both copies of its header/);

  const platform = world.world.machine("a").start();
  await world.settle(platform.disk("data").remove(segments[1]!.path));
  assert.equal((await verify(world)).segments[1]!.verdict, "missing");
});

test("verifyLog finds nothing where nothing is", async () => {
  const world = new LogWorld(1);
  const platform = world.world.machine("a").start();
  assert.equal(
    await world.settle(verifyLog(platform.disk("data"), platform.clock, nodeCrypto.crc32)),
    null,
  );
});

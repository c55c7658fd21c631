import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryClock } from "../../../runtime/memory/clock.ts";
import type { Logger } from "../../../src/base/logger.ts";
import { Scrub } from "../../../src/storage/scrub.ts";
import { LogWorld, payload } from "./world-log.ts";

const DAY_MS = 24 * 3_600_000;
const FIRST_PASS_MS = 3_600_000;

function recorder(lines: string[]): Logger {
  const put = (message: string, fields?: object): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const logger: Logger = { debug() {}, info: put, warn: put, error: put, with: () => logger };
  return logger;
}

/** A log of several segments, none of it in memory any more; and the path of the second. */
async function filled(): Promise<{ world: LogWorld; path: string }> {
  const world = new LogWorld(21);
  await world.open();
  for (let i = 0; i < 60; i++) await world.append([payload(i, 4000)], i);
  await world.settle(world.log!.close());
  await world.open();
  const segments = world.disk.image.list("log").filter((file) => file.endsWith(".seg"));
  assert.ok(segments.length > 3, "several are sealed");
  return { world, path: `log/${segments.sort()[1]}` };
}

function start(world: LogWorld): {
  lines: string[];
  stop: () => Promise<void>;
} {
  const lines: string[] = [];
  const { life, clock } = world.world.machine("a");
  const time = memoryClock(life!, clock, world.world.random.fork("scrub"));
  const ending = new AbortController();
  const running = new Scrub(world.log!, time, recorder(lines)).run(ending.signal);
  const stop = (): Promise<void> => {
    ending.abort();
    return world.settle(running);
  };
  return { lines, stop };
}

test("Scrub finds damage that nobody reads, tells it once, and the log does not serve it", async () => {
  const { world, path } = await filled();
  const { lines, stop } = start(world);
  // The disk loses it only now: the start has seen it whole.
  world.disk.faults.bitFlips = [{ path, offset: 20_000, mask: 4 }];
  await world.world.time.advance(FIRST_PASS_MS);
  assert.equal(world.log!.damage.length, 1, "as if a read had found it");
  const [range] = world.log!.damage;
  assert.equal(lines.length, 1, lines.join());
  assert.match(lines[0]!, new RegExp(`damaged.*"fromIndex":${range!.fromIndex}`));
  await world.world.time.advance(3 * DAY_MS);
  assert.equal(lines.length, 1, "later passes say nothing new");
  await assert.rejects(world.settle(world.log!.read(range!.fromIndex, 1)), /damaged/);
  await stop();
});

test("Scrub begins some minutes after the start, reads every sealed block a day, and stops", async () => {
  const { world } = await filled();
  const { log } = world;
  const asked: number[] = [];
  const whole = log!.verifyFrom.bind(log);
  log!.verifyFrom = async (index) => {
    const block = await whole(index);
    if (block !== null) asked.push(block.next);
    return block;
  };
  const { stop } = start(world);
  await world.world.time.advance(60_000);
  assert.deepEqual(asked, [], "a start has better things to do");
  await world.world.time.advance(FIRST_PASS_MS);
  const blocks = asked.length;
  assert.ok(blocks >= log!.segmentCount - 1, `${blocks} blocks`);
  assert.ok(asked.at(-1)! <= log!.lastIndex, "the active segment is not sealed");
  assert.deepEqual(
    [...asked].sort((a, b) => a - b),
    asked,
  );
  await world.world.time.advance(DAY_MS - 2 * FIRST_PASS_MS);
  assert.equal(asked.length, blocks, "a pass a day");
  await world.world.time.advance(2 * FIRST_PASS_MS);
  assert.equal(asked.length, 2 * blocks);
  await stop();
  await world.world.time.advance(2 * DAY_MS);
  assert.equal(asked.length, 2 * blocks);
});

test("Scrub tells once of what the disk does not read, as of other damage, and goes on behind it", async () => {
  const { world, path } = await filled();
  const { lines, stop } = start(world);
  world.disk.faults.readErrors = [{ path, from: 20_000, to: 20_001 }];
  const segments = world.disk.image.list("log").filter((file) => file.endsWith(".seg"));
  world.disk.faults.bitFlips = [{ path: `log/${segments.sort()[2]}`, offset: 20_000, mask: 4 }];
  await world.world.time.advance(2 * DAY_MS);
  assert.equal(lines.filter((line) => /are damaged/.test(line)).length, 2, lines.join());
  assert.equal(world.log!.damage.length, 2);
  await stop();
});

test("Scrub leaves a segment alone that is purged while it reads", async () => {
  const world = new LogWorld(22);
  const checkpoint = (): { index: number; term: number; data: Uint8Array } | null =>
    world.log === null ? null : { index: world.log.lastIndex, term: 1, data: payload(1, 200) };
  await world.open({ checkpoint });
  for (let i = 0; i < 60; i++) await world.append([payload(i, 4000)], i);
  // A read that takes long, and fails because its file is closed by then.
  const { faults } = world.disk;
  const { callMs } = faults;
  const [oldest] = world.disk.image.list("log").sort();
  faults.callMs = 10_000;
  faults.readErrors = [{ path: `log/${oldest}`, from: 0, to: 64 * 1024 }];
  const looking = world.log!.verifyFrom(1);
  faults.callMs = callMs;
  await world.settle(world.log!.purgeBefore(40));
  const block = await world.settle(looking);
  assert.equal(block?.unreadable, null);
  assert.ok(world.log!.firstIndex > 1);
  assert.deepEqual(world.log!.damage, []);
});

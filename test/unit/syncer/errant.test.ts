import assert from "node:assert/strict";
import { test } from "node:test";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { errantCheck, errantTransactions } from "../../../src/syncer/errant.ts";
import { NodeWorld } from "../cluster/world-node.ts";
import { WorldSource } from "../cluster/world-source.ts";

const A = "aaaaaaaa-0000-0000-0000-000000000001";
const B = "bbbbbbbb-0000-0000-0000-000000000002";
const C = "cccccccc-0000-0000-0000-000000000003";

function found(source: string | null, ours: string, uuid: string, theirs: string): string {
  const stream = {
    source: source === null ? null : { uuid: source, version: "9.7.0" },
    sourceUuids: new Set(source === null ? [] : [source]),
    executed: GtidSet.parse(ours),
  };
  return errantTransactions(stream, { uuid, executed: GtidSet.parse(theirs) }).toString();
}

test("errantTransactions names what a new source has of servers that never were ours", () => {
  assert.equal(found(A, `${A}:1-9`, B, `${A}:1-9`), "");
  assert.equal(found(A, `${A}:1-9`, B, `${A}:1-12`), "", "the old source's last ones");
  assert.equal(
    found(A, `${A}:1-9,${C}:1-2`, B, `${A}:1-12,${B}:1-3,${C}:1-5`),
    `${B}:1-3,${C}:3-5`,
  );
  assert.equal(
    found(A, `${A}:1-9`, B, `${A}:t:1-2,${B}:t:4`),
    `${B}:t:4`,
    "tags are of their uuid",
  );
});

test("errantTransactions finds none at a first source, and none at the one that we had", () => {
  assert.equal(found(null, "", B, `${B}:1-9,${C}:1`), "");
  assert.equal(found(A, `${A}:1-9`, A, `${A}:1-12,${C}:1-5`), "");
});

test("errantCheck is silent about nothing", () => {
  assert.equal(errantCheck(new GtidSet()), null);
  const check = errantCheck(GtidSet.parse(`${C}:1`));
  assert.equal(check?.level, "warn");
  assert.ok(check.message.includes(`${C}:1.`));
});

test("A syncer that is pointed to another server warns of what it brings, and takes it", async () => {
  const world = new NodeWorld(2);
  const { time } = world.world;
  const first = await time.run(() => WorldSource.start(world.world, "first", A, `${A}:1-5`));
  const second = await time.run(() => WorldSource.start(world.world, "second", B, `${A}:1-5`));
  second.commit(A, 6).commit(B, 1).commit(C, 7);
  const node = await world.start({ source: first.settings(world.machine) });
  const running = (uuid: string): boolean => {
    const { state, sourceUuid } = node.status().syncer;
    return state === "RUNNING" && sourceUuid === uuid;
  };
  const notices = (): string[] =>
    node
      .status()
      .syncer.checks.filter((check) => check.name === "errant_transactions")
      .map((check) => `${check.level} ${check.message}`);
  assert.ok(await time.runUntil(() => running(A), 30_000), world.lines.join("\n"));
  assert.deepEqual(notices(), []);
  await time.run(() => node.setSource(second.settings(world.machine)));
  assert.ok(await time.runUntil(() => running(B), 30_000), world.lines.join("\n"));
  assert.ok(await time.runUntil(() => node.gtid().executed.includes(C), 30_000), "it is taken");
  assert.equal(notices().length, 1);
  assert.match(notices()[0]!, new RegExp(`^warn .*: ${B}:1,${C}:7\\.`));
  assert.ok(node.status().alarms.some((alarm) => alarm.includes(`${B}:1,${C}:7`)));
  const logged = (): string[] => world.lines.filter((line) => /never were our source/.test(line));
  assert.equal(logged().length, 1);
  assert.match(logged()[0]!, new RegExp(`"gtids":"${B}:1,${C}:7"`));
  // A lost connection does not lose it; an operator who has read it does.
  const { attempts } = node.status().syncer;
  world.world.network.dropConnections("node", "second");
  const again = (): boolean => node.status().syncer.attempts > attempts && running(B);
  assert.ok(await time.runUntil(again, 30_000));
  assert.equal(notices().length, 1);
  await time.run(() => node.startSyncer());
  assert.ok(await time.runUntil(() => running(B), 30_000));
  assert.deepEqual(notices(), []);
  assert.equal(logged().length, 1);
  await time.run(() => node.stop());
});

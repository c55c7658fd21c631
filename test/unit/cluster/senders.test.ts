import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import type { Member } from "../../../src/cluster/members.ts";
import { PATIENCE_ELECTIONS, Senders } from "../../../src/cluster/senders.ts";
import { encodeConfChange } from "../../../src/raft/conf-change.ts";
import { EntryType, message, NO_BYTES } from "../../../src/raft/types.ts";

const ELECTION_MS = 500;
const DISK = "a".repeat(32);

class SendersWorld {
  readonly world: World = new World(1);
  silentMs = 0;
  highestId = 3;
  linked: readonly number[] = [2, 3];
  /** Who says yes. */
  vouches: readonly number[] = [];
  readonly asked: string[] = [];
  readonly members: Map<number, Member> = new Map([1, 2, 3].map((id) => [id, {} as Member]));
  readonly senders: Senders = new Senders({
    clock: this.world.machine("a").start().clock,
    members: () => this.members,
    isInCore: (id) => id === 5,
    highestId: () => this.highestId,
    leaderSilentMs: () => this.silentMs,
    electionMs: () => ELECTION_MS,
    linked: () => this.linked,
    vouch: async (member, id, disk) => {
      this.asked.push(`${member} of ${id}`);
      return this.vouches.includes(member) && disk === DISK;
    },
  });
}

test("senders: members count, also one that only the core's snapshot names; who was removed does not", () => {
  const world = new SendersWorld();
  world.highestId = 6;
  assert.deepEqual(
    [1, 3, 5, 4].map((id) => world.senders.counts(id, DISK)),
    [true, true, true, false],
  );
});

test("senders: an unknown one counts once a member vouches for it and its disk", async () => {
  const world = new SendersWorld();
  world.vouches = [3];
  assert.equal(world.senders.counts(9, DISK), false);
  await world.world.time.advance(1);
  assert.deepEqual(world.asked, ["2 of 9", "3 of 9"]);
  assert.equal(world.senders.counts(9, DISK), true);
  assert.equal(world.senders.counts(9, "b".repeat(32)), false, "another disk");
});

test("senders: nobody is asked more than five times a second, and strangers are not asked at all", async () => {
  const world = new SendersWorld();
  world.linked = [9, 10, 2];
  for (let i = 0; i < 100; i++) {
    world.senders.counts(9, DISK);
    await world.world.time.advance(10);
  }
  assert.deepEqual(new Set(world.asked), new Set(["2 of 9"]));
  assert.ok(world.asked.length <= 6, `${world.asked.length}`);
});

test("senders: without a leader for some elections an unknown one counts, and goes on to", () => {
  const world = new SendersWorld();
  world.silentMs = PATIENCE_ELECTIONS * ELECTION_MS;
  assert.equal(world.senders.counts(9, DISK), false);
  world.silentMs++;
  assert.equal(world.senders.counts(9, DISK), true);
  world.silentMs = 0;
  assert.equal(world.senders.counts(9, DISK), true, "it was the leader that was missing");
});

test("senders: who is named by an entry of a member counts until the log says who belongs", () => {
  const world = new SendersWorld();
  const data = encodeConfChange({
    transition: "auto",
    changes: [{ type: "add-learner", id: 4 }],
    context: NO_BYTES,
  });
  const entries = [{ index: 1, term: 1, type: EntryType.CONF_CHANGE_V2, data }];
  world.senders.note(message("MsgApp", { entries }));
  assert.equal(world.senders.counts(4, DISK), true);
  world.highestId = 4;
  world.senders.membersChanged();
  assert.equal(world.senders.counts(4, DISK), false, "it was added and removed");
});

test("senders: entries that cannot be read name nobody", () => {
  const world = new SendersWorld();
  for (const data of [Uint8Array.of(9), Uint8Array.of(1, 0, 255, 255, 255, 255)])
    world.senders.note(
      message("MsgApp", { entries: [{ index: 1, term: 1, type: EntryType.CONF_CHANGE, data }] }),
    );
});

/** Whom a node lets in as the member that it says it is: every refusal, and whom none may hit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Judges, judge } from "../../../src/cluster/judge.ts";
import type { Member } from "../../../src/cluster/members.ts";
import type { Remembered } from "../../../src/cluster/peer-memory.ts";
import type { Hello, RefusalCode } from "../../../src/peers/protocol.ts";

const CLUSTER = "c1".repeat(16);
const OWN_DISK = "d1".repeat(16);
const DISK = "d2".repeat(16);
const KNOWN: Remembered = {
  boots: 3,
  nonce: "n3",
  term: 7,
  vote: 2,
  lastTerm: 5,
  lastIndex: 100,
  installs: 1,
};

const HELLO: Hello = {
  protocol: 1,
  clusterId: CLUSTER,
  foundedMs: 1000,
  raftId: 2,
  diskUuid: DISK,
  name: "two",
  version: "0",
  boots: 3,
  nonce: "n3",
  term: 7,
  vote: 2,
  lastTerm: 5,
  lastIndex: 100,
  installs: 1,
  heartbeatMs: 50,
  electionMs: 500,
};

function member(id: number, diskUuid: string): Member {
  const addresses = { peer: `h${id}:1`, mysql: "", admin: "" };
  const rest = { version: "0", formatVersion: 1, server: "running" } as const;
  return { id, diskUuid, name: `node ${id}`, region: "", ...addresses, ...rest };
}

const JUDGES: Judges = {
  own: { clusterId: CLUSTER, foundedMs: 1000, diskUuid: OWN_DISK, nonce: "n1" },
  members: new Map([1, 2, 4].map((id) => [id, member(id, `d${id}`.repeat(16))])),
  highestId: 5,
  remembered: (uuid) => (uuid === DISK ? KNOWN : null),
  acknowledged: () => null,
};
const LEADS: Partial<Judges> = {
  acknowledged: (id) => (id === 2 ? { term: 8, index: 120 } : null),
};

interface Case {
  readonly what: string;
  readonly hello?: Partial<Hello>;
  readonly judges?: Partial<Judges>;
}

const ACCEPTED: readonly Case[] = [
  { what: "the same process, nothing new" },
  { what: "the same process, more entries", hello: { lastIndex: 101 } },
  {
    what: "the same process, cut by entries of a later term",
    hello: { lastTerm: 6, lastIndex: 90 },
  },
  {
    what: "the same process, on a link that is older than what it acknowledged since",
    hello: { term: 6, vote: 0, lastIndex: 90 },
    judges: LEADS,
  },
  { what: "a later term, and no vote in it yet", hello: { term: 8, vote: 0 } },
  { what: "the next start", hello: { boots: 4, nonce: "n4" } },
  { what: "many starts later", hello: { boots: 40, nonce: "x", lastTerm: 9, lastIndex: 1 } },
  { what: "what it has acknowledged to this leader", hello: { lastIndex: 120 }, judges: LEADS },
  {
    what: "less than that, cut in a term that this leader does not know yet",
    hello: { term: 9, vote: 0, lastTerm: 9, lastIndex: 110 },
    judges: LEADS,
  },
  { what: "a member of which nothing is remembered", judges: { remembered: () => null } },
  {
    what: "an id that was given while this node was away",
    hello: { raftId: 6, diskUuid: "d6".repeat(16), boots: 1, nonce: "n", lastIndex: 0 },
  },
];

for (const { what, hello, judges } of ACCEPTED) {
  test(`judge: accepts ${what}`, () => {
    assert.equal(judge({ ...HELLO, ...hello }, { ...JUDGES, ...judges }), null);
  });
}

interface Refused extends Case {
  readonly code: RefusalCode;
  /** What of either side the sentence names. */
  readonly names: readonly string[];
}

const OTHER = "e1".repeat(16);
const REFUSED: readonly Refused[] = [
  {
    what: "a node of another cluster",
    code: "other-cluster",
    hello: { clusterId: OTHER },
    names: [OTHER, CLUSTER, "cluster.join"],
  },
  {
    what: "a node of another cluster under an id that was not given yet",
    code: "other-cluster",
    hello: { clusterId: OTHER, raftId: 9 },
    names: [OTHER, CLUSTER],
  },
  { what: "itself", code: "unknown", hello: { nonce: "n1" }, names: ["itself"] },
  {
    what: "a copy of its own disk",
    code: "clone",
    hello: { raftId: 1, diskUuid: OWN_DISK },
    names: [OWN_DISK, "the node that it calls"],
  },
  {
    what: "an id that was removed",
    code: "removed",
    hello: { raftId: 3, diskUuid: "d3".repeat(16) },
    names: ["Node 3", "d3d3", "removed"],
  },
  {
    what: "the highest id ever given, removed",
    code: "removed",
    hello: { raftId: 5, diskUuid: "d5".repeat(16) },
    names: ["Node 5"],
  },
  {
    what: "another disk under a member's id",
    code: "other-disk",
    hello: { diskUuid: "d9".repeat(16) },
    names: ["d9d9", DISK],
  },
  {
    what: "fewer starts than were seen",
    code: "clone",
    hello: { boots: 2, nonce: "n2", lastIndex: 500 },
    names: ["start 2", "start 3"],
  },
  {
    what: "another process under the same start",
    code: "clone",
    hello: { nonce: "other", lastIndex: 500 },
    names: ["start 3"],
  },
  {
    what: "less than it has acknowledged to this leader, though nobody remembers that yet",
    code: "reverted",
    hello: { boots: 9, nonce: "n9", term: 8, vote: 0, lastIndex: 119 },
    judges: LEADS,
    names: ["119", "120", "restored"],
  },
  {
    what: "a shorter log of the same term",
    code: "reverted",
    hello: { boots: 4, nonce: "n4", lastIndex: 99 },
    names: ["99", "100", "term 5"],
  },
  {
    what: "a longer log of an earlier term",
    code: "reverted",
    hello: { boots: 4, nonce: "n4", lastTerm: 4, lastIndex: 900 },
    names: ["900", "term 4", "100", "term 5"],
  },
  {
    what: "the next start, in an older term",
    code: "reverted",
    hello: { boots: 4, nonce: "n4", term: 6, vote: 2 },
    names: ["term 6", "term 7"],
  },
  {
    what: "the next start, without the vote that it had given",
    code: "reverted",
    hello: { boots: 4, nonce: "n4", vote: 0 },
    names: ["another vote"],
  },
];

for (const { what, code, hello, judges, names } of REFUSED) {
  test(`judge: refuses ${what}`, () => {
    const refusal = judge({ ...HELLO, ...hello }, { ...JUDGES, ...judges });
    assert.equal(refusal?.code, code);
    const { message } = refusal!;
    for (const name of names) assert.ok(message.includes(name), `"${name}" in: ${message}`);
    assert.doesNotMatch(message, /\.$/);
    if (code === "unknown") return;
    const who = { ...HELLO, ...hello };
    assert.ok(message.includes(`Node ${who.raftId} ("two", disk ${who.diskUuid})`), message);
    const next = code === "other-cluster" ? /check its cluster\.join/ : /joins as a new learner/;
    assert.match(message, next);
  });
}

test("judge: of several reasons the one that leads furthest is told", () => {
  const clone = { ...HELLO, boots: 2, nonce: "n2", lastIndex: 1 };
  assert.equal(judge(clone, JUDGES)?.code, "clone");
  assert.equal(judge({ ...clone, diskUuid: "d9".repeat(16) }, JUDGES)?.code, "other-disk");
  assert.equal(judge({ ...clone, clusterId: OTHER }, JUDGES)?.code, "other-cluster");
});

test("a tail that a snapshot took away is not missed, before or after the status that tells of it", () => {
  // It led in term 5, follows the leader of term 7 now, and got a snapshot up to entry 80 of term 4.
  const cut = { boots: 4, nonce: "n4", lastTerm: 4, lastIndex: 80, installs: 2 };
  assert.equal(judge({ ...HELLO, ...cut }, JUDGES), null);
  const told: Judges = {
    ...JUDGES,
    remembered: () => ({ ...KNOWN, ...cut, boots: 3, nonce: "n3" }),
  };
  assert.equal(judge({ ...HELLO, ...cut }, told), null);
  // A copy of before the snapshot has fewer.
  const copy = { ...HELLO, boots: 5, nonce: "n5" };
  assert.equal(judge(copy, told)?.code, "reverted");
  assert.equal(judge({ ...HELLO, ...cut, installs: 1 }, JUDGES)?.code, "reverted");
});

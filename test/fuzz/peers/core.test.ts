/**
 * Members that say what they like to a Raft core, behind the two checks that a node has at its edge: the core
 * finds its own log contradicted by nothing that passes them, whatever its role.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { confChangeOf, madeOf } from "../../../src/cluster/applied-change.ts";
import { meaningOf, standingOf } from "../../../src/cluster/message-edge.ts";
import { nonsenseIn } from "../../../src/peers/message-check.ts";
import { isConfChange } from "../../../src/raft/conf-change.ts";
import { DEFAULT_RAFT_CONFIG } from "../../../src/raft/config.ts";
import { isRefusal } from "../../../src/raft/errors.ts";
import { MemoryStorage } from "../../../src/raft/memory-storage.ts";
import { RawNode } from "../../../src/raft/raw-node.ts";
import { EMPTY_CONF_STATE, EntryType, type Message } from "../../../src/raft/types.ts";
import { HostileFrames } from "./hostile-frames.ts";
import { TYPES } from "./kinds.ts";

const RUNS = 400;
const STEPS = 120;
const OWN = 1;
const QUIET = { debug() {}, info() {}, warn() {}, error() {} };

class Core {
  readonly storage = new MemoryStorage();
  readonly node: RawNode;

  constructor(random: SeededRandom) {
    const conf = { ...EMPTY_CONF_STATE, voters: [1, 2, 3] };
    this.storage.applySnapshot({ index: 5, term: 1, conf, data: new Uint8Array() });
    this.storage.setHardState({ term: 1, vote: 0, commit: 5 });
    this.node = new RawNode({
      ...DEFAULT_RAFT_CONFIG,
      id: OWN,
      storage: this.storage,
      applied: 5,
      electionTick: 10,
      random: (below) => random.below(below),
      logger: QUIET,
      disableProposalForwarding: true,
    });
  }

  /** As a driver does: writes, applies, goes on. */
  settle(): void {
    const { node, storage } = this;
    while (node.hasReady()) {
      const ready = node.ready();
      if (ready.hardState !== null) storage.setHardState(ready.hardState);
      if (ready.snapshot !== null) storage.applySnapshot(ready.snapshot);
      storage.append(ready.entries);
      for (const entry of ready.committedEntries) {
        if (!isConfChange(entry.type)) continue;
        // What a newer version may have written stops a node, by its own wish.
        if (entry.data.length > 0 && entry.data[0] !== 1) continue;
        const change = confChangeOf(entry);
        if (change !== null) madeOf(() => node.applyConfChange(change));
      }
      node.advance(ready);
    }
  }

  /** "nonsense", "drop", or "take". */
  hear(m: Message): string {
    if (nonsenseIn(m) !== null) return "nonsense";
    const meaning = meaningOf(m, standingOf(this.node));
    if (typeof meaning === "object") return "nonsense";
    if (meaning === "take") tried(() => this.node.step(m));
    return meaning;
  }

  propose(): void {
    tried(() => this.node.propose(Uint8Array.of(0)));
  }
}

function tried(call: () => void): void {
  try {
    call();
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

test("no message that passes the edge breaks a core, in any role", () => {
  const reached: Record<string, number> = {};
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = new SeededRandom(seed).fork("core");
    const frames = new HostileFrames(random);
    const core = new Core(random);
    const heard: string[] = [];
    try {
      for (let step = 0; step < STEPS; step++) {
        const { node } = core;
        // Now and then it is elected, so that it has a role to lose.
        if (random.below(6) === 0) for (let i = 0; i < 20; i++) node.tick();
        if (node.role !== "follower" && random.below(2) === 0) {
          const type = node.role === "candidate" ? "MsgVoteResp" : "MsgPreVoteResp";
          const term = node.role === "candidate" ? node.term : node.term + 1;
          const yes = frames.raft("MsgHeartbeatResp", { ...target(core, 2), lastIndex: 1 });
          tried(() =>
            node.step({ ...yes, type, from: 2, term, reject: false, context: new Uint8Array() }),
          );
        }
        if (node.role === "leader") core.propose();
        const type = TYPES[random.below(TYPES.length)]!;
        const from = 2 + random.below(2);
        const m = { ...frames.raft(type, target(core, from)), from };
        const what = `${core.hear(m)} ${type}`;
        heard.push(`${node.role} ${JSON.stringify({ ...m, entries: m.entries.length })}`);
        reached[what] = (reached[what] ?? 0) + 1;
        reached[node.role] = (reached[node.role] ?? 0) + 1;
        core.settle();
        assert.ok(node.lastIndex >= node.commit);
      }
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${heard.slice(-6).join("\n")}`, {
        cause: error,
      });
    }
  }
  for (const type of TYPES)
    if (type !== "MsgTransferLeader") assert.ok(reached[`take ${type}`], `${type} was never taken`);
  for (const role of ["follower", "pre-candidate", "candidate", "leader"])
    assert.ok(reached[role], `it was never ${role}`);
});

function target({ node }: Core, from: number) {
  return {
    from,
    to: OWN,
    term: node.term,
    lastIndex: node.lastIndex,
    snapshot: Uint8Array.of(EntryType.NORMAL),
  };
}

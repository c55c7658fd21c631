/** Somebody who knows the cluster secret and is no member, and what he cannot do with it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePacked } from "../../../src/base/packed.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import { FrameKind, type Hello } from "../../../src/peers/protocol.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { type Message, message } from "../../../src/raft/types.ts";
import { PEER_PORT, SECRET, type SimNode } from "../../sim/nodes/node.ts";
import { Stranger, strangerHello } from "../../support/stranger.ts";
import { idOf, running, SimNodes } from "./sim-nodes.ts";

/** Three nodes that are linked, and a machine beside them. */
class Attacked {
  readonly nodes: SimNodes;
  readonly #platform: Platform;
  leader!: SimNode;
  #before: unknown[] = [];

  constructor(seed: number) {
    this.nodes = new SimNodes(seed);
    this.#platform = this.nodes.world.machine("stranger").start();
  }

  static async formed(seed: number): Promise<Attacked> {
    const attacked = new Attacked(seed);
    attacked.leader = await attacked.nodes.formed(3);
    await attacked.nodes.until("all are linked and know all", () => attacked.#isWhole());
    await attacked.nodes.world.time.advance(3_000);
    attacked.#before = attacked.nodes.nodes.map((node) => attacked.#state(node));
    return attacked;
  }

  #isWhole(): boolean {
    return this.nodes.nodes.every(({ node }) => {
      if (node === null) return false;
      const { members, connected } = {
        members: node.core.state.members,
        connected: node.cluster().members.filter((one) => one.connected),
      };
      const isKnown = [...members.values()].every(({ peer }) => peer !== "");
      return members.size === 3 && isKnown && connected.length === 3;
    });
  }

  #state(node: SimNode): unknown {
    const { driver, log, state } = running(node).core;
    const { fenced } = driver.consensus;
    const { lastIndex, identity } = log;
    return [identity.raftId, driver.term, driver.commit, lastIndex, state.members.size, fenced];
  }

  get clusterId(): string {
    return running(this.leader).core.log.identity.clusterId;
  }
  get term(): number {
    return running(this.leader).core.driver.term;
  }

  come(node: SimNode, hello: Partial<Hello>): Promise<Stranger> {
    const address = { host: node.machine.address, port: PEER_PORT };
    const { clusterId } = this;
    return this.nodes.run(() =>
      Stranger.come(this.#platform, address, SECRET, strangerHello({ clusterId, ...hello })),
    );
  }

  /** One who says that it is a member which came while the node was away. */
  comeAs(node: SimNode, raftId: number): Promise<Stranger> {
    return this.come(node, { raftId });
  }

  /** To each node, from somebody with an id above all. */
  async sayToAll(make: (to: number) => Partial<Message> & Pick<Message, "type">): Promise<void> {
    for (const node of this.nodes.nodes) {
      const stranger = await this.comeAs(node, 9);
      await this.nodes.until("he is greeted", () => stranger.isGreeted);
      const { type, ...fields } = make(idOf(node));
      stranger.raft(message(type, { from: 9, to: idOf(node), ...fields }));
    }
  }

  /** Longer than any election takes. */
  async isUnhurt(): Promise<void> {
    await this.nodes.world.time.advance(5_000);
    assert.deepEqual(this.nodes.ended, [], "no node ended");
    assert.equal(this.nodes.leader(), this.leader, "the same leads");
    const now = this.nodes.nodes.map((node) => this.#state(node));
    assert.deepEqual(now, this.#before, "term, commit, log, members");
    for (const node of this.nodes.nodes) assert.equal(running(node).cluster().members.length, 3);
  }
}

const HOSTILE: Readonly<Record<string, Partial<Message> & Pick<Message, "type">>> = {
  "a MsgSnap without a snapshot": { type: "MsgSnap", term: 100 },
  "a heartbeat with commit 2^40": { type: "MsgHeartbeat", term: 100, commit: 2 ** 40 },
  "a term of 2^53 - 1": { type: "MsgHeartbeat", term: Number.MAX_SAFE_INTEGER },
  "a term that can be": { type: "MsgHeartbeat", term: 1000 },
  "a vote request of a high term": { type: "MsgVote", term: 1000, index: 2 ** 40, logTerm: 900 },
  "a vote request as in a transfer": {
    type: "MsgVote",
    term: 1000,
    index: 2 ** 40,
    logTerm: 900,
    context: Uint8Array.of(0x54),
  },
  "a call to stand for election": { type: "MsgTimeoutNow", term: 1 },
  "an answer of a later term": { type: "MsgAppResp", term: 1000, index: 1 },
};

for (const [what, fields] of Object.entries(HOSTILE)) {
  test(`a stranger with the secret and ${what} changes nothing`, async () => {
    const attacked = await Attacked.formed(11);
    await attacked.sayToAll(() => fields);
    await attacked.isUnhurt();
  });
}

test("REFUSE frames of a stranger fence nobody, on whichever link they come", async () => {
  const attacked = await Attacked.formed(12);
  for (const node of attacked.nodes.nodes) {
    for (const raftId of [9, 10]) {
      const stranger = await attacked.comeAs(node, raftId);
      await attacked.nodes.until("he is greeted", () => stranger.isGreeted);
      const refusal = { code: "removed", message: `Node ${idOf(node)} was removed` };
      stranger.send(FrameKind.REFUSE, encodePacked(refusal));
    }
  }
  await attacked.isUnhurt();
});

test("a REFUSE frame in the name of a member that is away fences nobody", async () => {
  const attacked = await Attacked.formed(13);
  const [gone, asked] = attacked.nodes.followers();
  const { diskUuid, raftId } = running(gone!).core.log.identity;
  gone!.kill();
  await attacked.nodes.world.time.advance(4_000);
  for (const node of [asked!, attacked.leader]) {
    const stranger = await attacked.come(node, {
      raftId,
      diskUuid,
      boots: 50,
      term: attacked.term + 1,
      lastTerm: attacked.term + 1,
      lastIndex: 1000,
    });
    await attacked.nodes.until("he is greeted", () => stranger.isGreeted);
    const refusal = { code: "removed", message: `Node ${idOf(node)} was removed` };
    stranger.send(FrameKind.REFUSE, encodePacked(refusal));
  }
  await attacked.nodes.world.time.advance(5_000);
  for (const node of [asked!, attacked.leader])
    assert.equal(running(node).core.driver.consensus.fenced, null);
  assert.equal(attacked.nodes.leader(), attacked.leader);
});

const ANNOUNCED = {
  diskUuid: "5".repeat(32),
  name: "stranger",
  region: "iad",
  peer: "10.0.0.77:4306",
  mysql: "10.0.0.77:3307",
  admin: "",
  version: "1",
  formatVersion: 2,
};

for (const [what, odd] of [
  ["a number for a name", { name: 7 }],
  ["no name", { name: "" }],
  ["a name of a MiB", { name: "x".repeat(1 << 19) }],
  ["a name with control characters", { name: "a\u0000\u001b[2J" }],
  ["an object for a region", { region: { toString: null } }],
  ["a version that is null", { version: null }],
  ["an address that is none", { peer: "nowhere" }],
  ["a disk that is another's", { diskUuid: "6".repeat(32) }],
  ["a disk that is no name", { diskUuid: "../../etc" }],
  ["a format of 2^53 - 1", { formatVersion: Number.MAX_SAFE_INTEGER }],
] as const) {
  test(`a join with ${what} is not replicated, and members are listed as before`, async () => {
    const attacked = await Attacked.formed(14);
    for (const node of attacked.nodes.nodes) {
      const stranger = await attacked.come(node, { clusterId: "" });
      await attacked.nodes.until("he is greeted", () => stranger.isGreeted);
      stranger.call("join", { announcement: { ...ANNOUNCED, ...odd }, history: "all" });
      await attacked.nodes.until("he is answered", () =>
        stranger.frames.some(({ kind, body }) => kind === FrameKind.ANSWER && body[4] === 1),
      );
    }
    await attacked.isUnhurt();
  });
}

test("a join that makes sense is taken, so the others were refused for what they said", async () => {
  const attacked = await Attacked.formed(15);
  const stranger = await attacked.come(attacked.leader, { clusterId: "" });
  await attacked.nodes.until("he is greeted", () => stranger.isGreeted);
  stranger.call("join", { announcement: ANNOUNCED, history: "all" });
  const node: RunningNode = running(attacked.leader);
  await attacked.nodes.until("he is a learner", () => node.core.state.members.size === 4);
});

test("operations are for members, with the arguments that they have", async () => {
  const attacked = await Attacked.formed(16);
  for (const raftId of [0, 9]) {
    const stranger = await attacked.come(attacked.leader, { raftId });
    await attacked.nodes.until("he is greeted", () => stranger.isGreeted);
    stranger.call("operation", { name: "removeMember", args: ["n2"] });
    await attacked.nodes.until("he is answered", () =>
      stranger.frames.some(({ kind }) => kind === FrameKind.ANSWER),
    );
  }
  await attacked.isUnhurt();
});

test("what a stranger says in a hello of a member's disk is not held against that member", async () => {
  const attacked = await Attacked.formed(17);
  const [follower] = attacked.nodes.followers();
  const { diskUuid } = running(follower!).core.log.identity;
  const stranger = await attacked.come(attacked.leader, { raftId: 9, diskUuid, boots: 2 ** 31 });
  await attacked.nodes.until("he is greeted", () => stranger.isGreeted);
  await attacked.nodes.world.time.advance(100);
  const allLinked = (): boolean =>
    running(attacked.leader)
      .cluster()
      .members.every(({ connected }) => connected);
  follower!.kill();
  await attacked.nodes.until("it is missed", () => !allLinked());
  follower!.start();
  await attacked.nodes.until(
    "the member is linked again",
    () => follower!.node !== null && allLinked(),
  );
  assert.equal(running(follower!).core.driver.consensus.fenced, null);
});

/** As an operator does: again, when it could not be done just now. */
async function insist(nodes: SimNodes, act: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await nodes.run(act);
      return;
    } catch (error) {
      if (tries > 100) throw error;
      await nodes.world.time.advance(200);
    }
  }
}

/** Members one after the other, each promoted once it has caught up. */
async function grow(nodes: SimNodes, names: readonly string[]): Promise<void> {
  for (const name of names) {
    nodes.add(name, { join: ["n1", "n2", "n3"] });
    await insist(nodes, () => running(nodes.leader()).promoteMember(name));
  }
}

test("a member that was away while a newer one came takes its word at once, since another vouches", async () => {
  const nodes = new SimNodes(31);
  await nodes.formed(3);
  const away = nodes.followers()[0]!;
  away.kill();
  await grow(nodes, ["n4"]);
  await insist(nodes, () => running(nodes.leader()).transferLeader("n4"));
  await nodes.until("n4 leads", () => nodes.leader().name === "n4");
  away.start();
  const { commit } = running(nodes.leader()).core.driver;
  await nodes.until(
    "it has caught up",
    () => (away.node?.core.driver.applied ?? 0) >= commit,
    3_000,
  );
});

test("a member that was away while all others were replaced catches up from those that it does not know", async () => {
  const nodes = new SimNodes(32);
  await nodes.formed(3);
  const [away, gone] = nodes.followers();
  const old = nodes.leader();
  away!.kill();
  await grow(nodes, ["n4", "n5"]);
  for (const one of [gone!, old]) {
    await insist(nodes, () => running(nodes.leader()).removeMember(one.name));
    one.kill();
  }
  away!.start();
  await nodes.until("it has caught up", () => {
    const { commit } = running(nodes.leader()).core.driver;
    return (away!.node?.core.driver.applied ?? 0) >= commit;
  });
  assert.equal(running(away!).core.state.members.size, 3);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { BinraftError } from "../../../src/base/errors.ts";
import { CallFailed } from "../../../src/peers/calls.ts";
import { message } from "../../../src/raft/types.ts";
import { before } from "../../support/authority.ts";
import { toyAuthority } from "../../support/toy-authority.ts";
import { PeersWorld, PORT } from "./world-peers.ts";

async function pair(seed: number): Promise<PeersWorld> {
  const world = new PeersWorld(seed);
  await world.start(1);
  await world.start(2);
  world.introduce();
  assert.ok(
    await world.until(() =>
      world.nodes.every((node) => node.peers.reports().every((one) => one.connected)),
    ),
  );
  return world;
}

test("two nodes are linked once, and messages arrive as they were sent", async () => {
  const world = await pair(1);
  const [a, b] = world.nodes;
  const data = new Uint8Array(100_000).fill(7);
  const entries = [{ index: 5, term: 1, type: 0 as const, data }];
  a!.peers.send(message("MsgApp", { from: 1, to: 2, term: 1, index: 4, entries }));
  data.fill(0);
  assert.ok(await world.until(() => b!.messages.length === 1));
  assert.equal(b!.messages[0]!.entries[0]!.data[99_999], 7, "a copy");
});

test("between regions messages are packed, both ways and for catching up; an older node gets them plain", async () => {
  for (const older of [false, true]) {
    const world = new PeersWorld(1);
    for (const id of [1, 2]) {
      const node = await world.start(id);
      node.packs = true;
      if (older && id === 2) node.unpacks = [];
    }
    world.introduce();
    const [a, b] = world.nodes;
    const linked = (): boolean => world.nodes.every((node) => node.peers.isConnected(3 - node.id));
    assert.ok(await world.until(linked));
    const data = new Uint8Array(300_000).fill(7);
    const entries = [{ index: 5, term: 1, type: 0 as const, data }];
    const send = (from: number, to: number): void =>
      world.nodes[from - 1]!.peers.send(
        message("MsgApp", { from, to, term: 1, index: 4, entries }),
      );
    send(1, 2);
    send(2, 1);
    assert.ok(await world.until(() => a!.messages.length + b!.messages.length === 2));
    for (const node of world.nodes) assert.deepEqual(node.messages[0]!.entries[0]!.data, data);
    const [report] = a!.peers.reports();
    if (older) assert.equal(report!.savedBytes, 0);
    else assert.ok(report!.savedBytes > 290_000 && report!.sentBytes < 10_000);
    const fetched = await world.world.time.run(() => b!.peers.entries(1, 10, 12, 1000));
    assert.equal(fetched.length, 3);
  }
});

test("calls are answered, and what fails keeps its kind and the next step", async () => {
  const world = await pair(2);
  const [a] = world.nodes;
  const { time } = world.world;
  assert.deepEqual(await time.run(() => a!.peers.call(2, "echo", { x: [1, "ß"] }, 1000)), {
    x: [1, "ß"],
  });
  const failed = await time.run(() =>
    a!.peers.call(2, "other", null, 1000).catch((error: CallFailed) => error),
  );
  assert.ok(failed instanceof CallFailed);
  assert.deepEqual([failed.kind, failed.message, failed.next], ["conflict", "no", "do this"]);
  const entries = await time.run(() => a!.peers.entries(2, 10, 12, 1000));
  assert.deepEqual(
    entries.map(({ index, data }) => [index, data[0]]),
    [
      [10, 10],
      [11, 11],
      [12, 12],
    ],
  );
});

test("a node with another secret is not linked, and costs the others nothing", async () => {
  const world = new PeersWorld(3);
  await world.start(1);
  await world.start(2);
  await world.start(3, "another cluster secret");
  world.introduce();
  const [a, b, c] = world.nodes;
  assert.ok(await world.until(() => a!.peers.isConnected(2) && b!.peers.isConnected(1)));
  await world.world.time.advance(20_000);
  assert.deepEqual(
    [a!.peers.isConnected(3), b!.peers.isConnected(3), c!.peers.isConnected(1)],
    [false, false, false],
  );
  const report = a!.peers.reports().find(({ id }) => id === 3);
  assert.match(report!.trouble, /cluster secret/);
});

test("a node whose certificate expired is linked again once its file is renewed", async () => {
  const world = new PeersWorld(10);
  for (const id of [1, 2, 3]) await world.start(id);
  const [a, b, c] = world.nodes;
  const { clock } = a!.platform;
  const { ca, issue } = toyAuthority(a!.platform, "the CA");
  for (const node of world.nodes)
    node.given = async () => ({ ...(await issue("node")), ca, secrets: [] });
  const { given } = c!;
  c!.given = async () => ({ ...(await issue("c", before(clock.wall()))), ca, secrets: [] });
  world.introduce();
  assert.ok(await world.until(() => a!.peers.isConnected(2) && b!.peers.isConnected(1)));
  await world.world.time.advance(20_000);
  assert.deepEqual([...a!.peers.connected(), ...c!.peers.connected()], [2]);
  assert.match(a!.lines.join("\n"), /warn No link to a node .*"id":3.* has expired: renew it/);
  assert.match(
    a!.lines.join("\n"),
    /warn A connection to the peer port was refused .* has expired/,
  );
  assert.match(
    c!.lines.join("\n"),
    /warn No link to a node .*does not accept this node's certificate/,
  );
  c!.given = given;
  assert.ok(await world.until(() => a!.peers.isConnected(3) && c!.peers.isConnected(1)));
});

test("a node that cannot read its credentials has no new links, keeps those it has, and says why", async () => {
  const world = await pair(11);
  const [a] = world.nodes;
  const { given } = a!;
  a!.given = async () => {
    throw new BinraftError("BR1006", "Cannot read its file");
  };
  const c = await world.start(3);
  world.introduce();
  await world.world.time.advance(20_000);
  assert.deepEqual([a!.peers.isConnected(2), a!.peers.isConnected(3)], [true, false]);
  assert.match(a!.lines.join("\n"), /warn No link to a node .*"id":3.*Cannot read its file/);
  assert.match(
    a!.lines.join("\n"),
    /warn A connection to the peer port was refused .*Cannot read its/,
  );
  a!.given = given;
  assert.ok(await world.until(() => a!.peers.isConnected(3) && c.peers.isConnected(1)));
});

test("a refusal reaches the node that is refused, with its sentence", async () => {
  const world = new PeersWorld(4);
  await world.start(1);
  await world.start(2);
  world.nodes[1]!.refuse = { code: "removed", message: "Node 1 was removed" };
  world.introduce();
  assert.ok(await world.until(() => world.nodes[0]!.refusals.length > 0));
  assert.deepEqual(world.nodes[0]!.refusals[0], { code: "removed", message: "Node 1 was removed" });
  assert.equal(world.nodes[1]!.refusals.length, 0, "the one who refuses is not refused");
});

test("a message in another's name ends the link", async () => {
  const world = await pair(5);
  const [a, b] = world.nodes;
  a!.peers.send(message("MsgHeartbeat", { from: 3, to: 2, term: 9 }));
  assert.ok(await world.until(() => !b!.peers.isConnected(1)));
  assert.equal(b!.messages.length, 0);
});

test("a peer that takes nothing costs bounded memory, and the core is told what was dropped", async () => {
  const world = await pair(6);
  const [a] = world.nodes;
  world.world.network.partition(["n1"], ["n2"]);
  const entries = [{ index: 5, term: 1, type: 0 as const, data: new Uint8Array(1024 * 1024) }];
  for (let i = 0; i < 40; i++)
    a!.peers.send(message("MsgApp", { from: 1, to: 2, term: 1, index: 4, entries }));
  await world.world.time.advance(1);
  const [report] = a!.peers.reports();
  assert.ok(report!.queuedBytes < 10 * 1024 * 1024, `${report!.queuedBytes} bytes wait`);
  assert.ok(report!.droppedMessages > 20);
  assert.ok(a!.dropped.length > 0);
});

test("a link on which nothing is heard is given up, and comes back", async () => {
  const world = await pair(7);
  const [a, b] = world.nodes;
  world.world.network.partition(["n1"], ["n2"]);
  assert.ok(await world.until(() => !a!.peers.isConnected(2) && !b!.peers.isConnected(1), 10_000));
  world.world.network.heal();
  assert.ok(await world.until(() => a!.peers.isConnected(2) && b!.peers.isConnected(1)));
});

test("a node that is no member can ask one question and is gone again", async () => {
  const world = await pair(8);
  const guest = await world.start(0);
  const address = { host: world.nodes[0]!.address, port: PORT };
  assert.equal(
    await world.world.time.run(() => guest.peers.ask(address, "echo", "hello", 1000)),
    "hello",
  );
});

test("a node that comes back after a long time is linked at once", async () => {
  const world = new PeersWorld(9);
  const a = await world.start(1);
  // Its machine runs, nothing listens there.
  const machine = world.world.machine("n2");
  machine.start();
  const address = { host: machine.address, port: PORT };
  a.peers.setMembers([{ raftId: 2, name: "n2", address }], 100);
  await world.world.time.advance(60_000);
  const b = await world.start(2);
  world.introduce();
  assert.ok(await world.until(() => a.peers.isConnected(2) && b.peers.isConnected(1), 500));
});

test("a node that answers before it has read its place is linked as soon as it has", async () => {
  const world = new PeersWorld(11);
  const a = await world.start(1);
  const b = await world.start(2);
  Object.assign(b, { id: 0 });
  const address = { host: b.address, port: PORT };
  a.peers.setMembers([{ raftId: 2, name: "n2", address }], 100);
  const report = () => a.peers.reports().find(({ id }) => id === 2)!;
  assert.ok(await world.until(() => /starts, or has no place/.test(report().trouble)));
  await world.world.time.advance(10_000);
  Object.assign(b, { id: 2 });
  assert.ok(await world.until(() => a.peers.isConnected(2), 500));
});

test("of two processes as one node the first stays linked, until it is gone", async () => {
  const world = await pair(9);
  const [a, b] = world.nodes;
  const copy = await world.start(3);
  Object.assign(copy, { id: 1, nonce: "copy" });
  const other = { raftId: 2, name: "n2", address: { host: b!.address, port: PORT } };
  copy.peers.setMembers([other], 100);
  await world.world.time.advance(15_000);
  assert.equal(copy.peers.connected().length, 0);
  assert.ok(a!.peers.isConnected(2) && b!.peers.isConnected(1), "the first one stays");
  a!.stop.abort();
  assert.ok(await world.until(() => copy.peers.isConnected(2), 500), "then the other, at once");
});

/** Fixed addresses and those of a name; what comes of them: formation.test.ts, geo/fly-discovery.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { besides, dnsDiscovery, staticDiscovery } from "../../../src/cluster/discovery.ts";
import { NetError } from "../../../src/platform/net.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { PEER_PORT } from "../../sim/nodes/node.ts";
import { leaderOf, running, SimNodes } from "./sim-nodes.ts";

const NAME = { host: "nodes.example", port: PEER_PORT };

function dnsOf(records: Record<string, string[]>) {
  return {
    resolve: async (name: string, kind: string) => {
      const found = name === NAME.host ? records[kind] : undefined;
      if (found === undefined) throw new NetError("ENOTFOUND", `Cannot resolve ${name}`);
      return found;
    },
  };
}

test("a name has addresses of both kinds, of one, or none", async () => {
  const look = async (records: Record<string, string[]>): Promise<string[]> =>
    (await dnsDiscovery(dnsOf(records), NAME).look()).addresses.map(
      ({ host, port }) => `${host} ${port}`,
    );
  assert.deepEqual(await look({ A: ["10.0.0.1"], AAAA: ["fd00::1"] }), [
    "fd00::1 4306",
    "10.0.0.1 4306",
  ]);
  assert.deepEqual(await look({ A: ["10.0.0.1", "10.0.0.2"] }), ["10.0.0.1 4306", "10.0.0.2 4306"]);
  await assert.rejects(look({}), /Cannot resolve nodes\.example/);
});

test("fixed addresses are asked besides those that are found", async () => {
  const fixed = [{ host: "a", port: 1 }];
  const both = besides(fixed, staticDiscovery([{ host: "b", port: 2 }]));
  assert.deepEqual((await both.look()).addresses, [...fixed, { host: "b", port: 2 }]);
  assert.equal((await both.look()).all, null);
});

test("nodes of one name form a cluster once it has the addresses of all, whenever that is", async () => {
  const world = new SimNodes(1);
  const plan = {
    bootstrapExpect: 3,
    discovery: ({ dns }: Platform) => dnsDiscovery(dns, NAME),
  };
  const nodes = ["n1", "n2", "n3"].map((name) => world.add(name, plan));
  await world.world.time.advance(12_000);
  assert.match(nodes[0]!.lines.join("\n"), /discovery: Cannot resolve nodes\.example/);
  const addresses = nodes.map(({ machine }) => machine.address);
  world.world.dns.set(NAME.host, { A: addresses.slice(0, 1) });
  await world.world.time.advance(12_000);
  assert.ok(nodes.every((node) => node.node === null));
  world.world.dns.set(NAME.host, { A: addresses });
  await world.until("a cluster", () => nodes.every((node) => leaderOf(node) > 0));
  assert.deepEqual(running(nodes[0]!).core.state.conf.voters, [1, 2, 3]);
  const fourth = world.add("n4", { discovery: plan.discovery });
  await world.until("it joins", () => leaderOf(fourth) > 0);
  const learners = (): readonly number[] => running(fourth).core.state.conf.learners;
  await world.until("it knows that it is a learner", () => learners().join() === "4");
});

test("--bootstrap does not wait for a name that nobody has yet", async () => {
  const world = new SimNodes(2);
  const first = world.add("n1", {
    bootstrap: true,
    discovery: ({ dns }) => dnsDiscovery(dns, NAME),
  });
  await world.until("it leads", () => first.leads);
});

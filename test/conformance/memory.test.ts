/** The platform contract on the simulation, over several seeds and with fragmented streams. */
import { World } from "../../runtime/memory/world.ts";
import { toyAuthority } from "../support/toy-authority.ts";
import { conformance } from "./conformance.ts";
import type { Harness } from "./harness.ts";

async function memoryHarness(seed: number): Promise<Harness> {
  const world = new World(seed);
  const machine = world.machine("a");
  world.network.setLink("a", "a", { latencyMs: 0.2, jitterMs: 1, fragment: seed % 2 === 1 });
  machine.clock.earlyMs = 0.9;
  const platform = machine.start();
  let roots = 0;
  return {
    platform,
    run: (task) => world.time.run(task),
    newRoot: async () => `/data/${++roots}`,
    async smallDisk(bytes) {
      machine.disk("/small").faults.capacityBytes = bytes;
      return platform.disk("/small");
    },
    async lockElsewhere(root) {
      const other = machine.startBeside();
      await other.platform.disk(root).lock();
      return { kill: async () => other.end() };
    },
    authority: async (commonName) => toyAuthority(platform, commonName),
    fetch: (port, path, init) =>
      world.http.fetch("a", port, new Request(`http://127.0.0.1:${port}${path}`, init)),
    close: async () => machine.kill(),
  };
}

for (const seed of [1, 2]) {
  conformance(`memory, seed ${seed}`, () => memoryHarness(seed), {
    realTls: { missing: true, reason: "the simulated TLS has one version only" },
  });
}

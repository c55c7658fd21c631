import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../runtime/memory/world.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { SyncerHost } from "../../../src/syncer/host.ts";
import type { KeptConnection } from "../../../src/syncer/kept-connection.ts";
import { SourceLogin } from "../../../src/syncer/source-login.ts";
import { Syncer } from "../../../src/syncer/syncer.ts";
import { A, Pulling } from "./pulling.ts";

test("what stopped it in one term of leadership is looked at anew in the next", async () => {
  const world = new World(1);
  const platform = world.machine("n1").start();
  let asked = 0;
  const syncer = new Syncer({
    platform,
    host: { leads: true, term: 1, stream: { brokenPulls: 0 } } as unknown as SyncerHost,
    logger: silentLogger,
    config: async () => {
      asked++;
      return null;
    },
    stopped: () => null,
    login: new SourceLogin(platform, silentLogger),
    kept: { status: () => ({ state: "off", reason: "", ageMs: 0 }) } as unknown as KeptConnection,
    describe: () => "",
  });
  for (const term of [1, 2]) {
    const leads = new AbortController();
    const run = syncer.run(leads.signal);
    await world.time.advance(60_000);
    assert.equal(asked, term, "it stays stopped while the term lasts");
    leads.abort();
    await world.time.run(() => run);
  }
});

/** Apply takes nothing of a pull's first chunk while `refuses` says so. */
function refuseWhile({ node }: Pulling, refuses: () => boolean): void {
  const { stream } = node.core.state;
  const apply = stream.applyChunk.bind(stream);
  stream.applyChunk = (index, chunk) => {
    if (chunk.source === null || !refuses()) return apply(index, chunk);
    return apply(index, { ...chunk, streamOffset: chunk.streamOffset + 1 });
  };
}

test("pulls of which nothing is taken are slowed down, and end in a state with a next step", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source, time } = pulling;
  let refuses = true;
  refuseWhile(pulling, () => refuses);
  const before = pulling.syncer.attempts;
  source.cutDumps();
  source.commit(A, 2);
  await pulling.is("REFUSED");
  await time.advance(600_000);
  assert.equal(pulling.syncer.attempts, before + 5);
  const { reason, next } = pulling.syncer;
  assert.match(reason, /5 pulls in a row .* does not restart at the stream's end/);
  assert.match(next, /binraft syncer start/);
  refuses = false;
  await time.run(() => pulling.node.startSyncer());
  await pulling.has(source);
  await pulling.stop();
});

test("one that was taken begins the count anew", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source } = pulling;
  let refused = 0;
  refuseWhile(pulling, () => ++refused % 4 !== 0);
  for (let gno = 2; gno < 8; gno++) {
    source.cutDumps();
    source.commit(A, gno);
    await pulling.has(source);
  }
  assert.equal(pulling.syncer.state, "RUNNING");
  await pulling.stop();
});

test("a pull that runs and breaks before anything came is slowed down, one that held is not", async () => {
  const pulling = await Pulling.start((source) => source.commit(A, 1));
  const { source, time } = pulling;
  const before = pulling.syncer.attempts;
  for (let cut = 0; cut < 60; cut++) {
    await time.advance(1_000);
    if (pulling.syncer.state === "RUNNING") source.cutDumps();
  }
  const often = pulling.syncer.attempts - before;
  assert.ok(often <= 14, `${often} attempts in a minute`);
  await pulling.is("RUNNING");
  await time.advance(40_000);
  source.cutDumps();
  await time.advance(1_000);
  assert.equal(pulling.syncer.state, "RUNNING");
  await pulling.stop();
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Logger } from "../../../src/base/logger.ts";
import type { SemiSyncSource } from "../../../src/syncer/host.ts";
import { SemiSyncWatch } from "../../../src/syncer/semi-sync-watch.ts";
import { NodeWorld } from "../cluster/world-node.ts";
import { WorldSource } from "../cluster/world-source.ts";

const A = "aaaaaaaa-0000-0000-0000-000000000001";
const B = "bbbbbbbb-0000-0000-0000-000000000002";

class Watched {
  readonly watch = new SemiSyncWatch();
  readonly lines: string[] = [];
  readonly #logger: Logger;

  constructor() {
    const put =
      (level: string) =>
      (message: string, fields?: object): void => {
        this.lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
      };
    this.#logger = {
      debug() {},
      info: put("info"),
      warn: put("warn"),
      error: put("error"),
      with: () => this.#logger,
    };
  }

  get state(): SemiSyncSource | null {
    return this.watch.state;
  }

  look(active: boolean, noTx: number, source = A, clients = 1): this {
    this.watch.look(source, { side: "source", active, noTx, clients }, this.#logger);
    return this;
  }
}

test("SemiSyncWatch counts from its first look, and over a restart of the source", () => {
  const watched = new Watched();
  assert.deepEqual([watched.state], [null]);
  watched.look(true, 40);
  assert.deepEqual(watched.state, { active: true, commitsWithoutAck: 0, otherReplicas: 0 });
  assert.deepEqual(watched.lines, []);
  watched.look(true, 43);
  assert.deepEqual(watched.state, { active: true, commitsWithoutAck: 3, otherReplicas: 0 });
  watched.look(true, 2);
  assert.equal(watched.state?.commitsWithoutAck, 5, "it counts from 0 again");
  watched.look(true, 70, B);
  assert.equal(watched.state?.commitsWithoutAck, 0, "another source");
});

test("SemiSyncWatch warns once, however often it is bad, and again after a long calm", () => {
  const watched = new Watched();
  watched.look(true, 0).look(false, 0).look(false, 5);
  for (let i = 0; i < 20; i++) watched.look(true, 5).look(true, 6 + i);
  assert.equal(watched.lines.length, 1, watched.lines.join("\n"));
  assert.match(
    watched.lines[0]!,
    /^warn .*without an ACK.*_timeout.*"rpl_semi_sync_source_status":"OFF"/,
  );
  for (let i = 0; i < 60; i++) watched.look(true, 25);
  assert.match(watched.lines[1]!, /^info .*again/);
  watched.look(true, 26);
  assert.equal(watched.lines.length, 3);
  assert.match(watched.lines[2]!, /"commitsWithoutAck":1/);
});

test("SemiSyncWatch counts other semi-sync replicas that stay, not the dump of a leader that is gone", () => {
  const watched = new Watched();
  const others = (clients: number, source = A): number | undefined =>
    watched.look(true, 0, source, clients).state?.otherReplicas;
  assert.equal(others(2), 0, "a leader before us may still be counted");
  assert.equal(others(1), 0);
  assert.equal(others(3), 0);
  assert.equal(others(2), 1);
  assert.equal(others(2, B), 0, "another source: a first look");
  assert.equal(others(0), 0, "ours is not there yet");
});

for (const side of ["source", "master"] as const) {
  test(`A syncer sees that its ${side} goes on without an ACK, and says it once`, async () => {
    const world = new NodeWorld(3);
    const { time } = world.world;
    const source = await time.run(() => WorldSource.start(world.world, "source", A, `${A}:1-5`));
    source.offerSemiSync(side);
    const node = await world.start({ source: source.settings(world.machine) });
    const shown = (): unknown => node.status().syncer.semiSyncSource;
    assert.ok(await time.runUntil(() => node.status().syncer.semiSync, 30_000));
    assert.equal(shown(), null, "nobody has looked yet");
    await time.advance(15_000);
    assert.deepEqual(shown(), { active: true, commitsWithoutAck: 0, otherReplicas: 0 });
    assert.deepEqual(node.status().alarms, []);
    source.status.set(`Rpl_semi_sync_${side}_status`, "OFF");
    source.status.set(`Rpl_semi_sync_${side}_no_tx`, "7");
    await time.advance(15_000);
    assert.deepEqual(shown(), { active: false, commitsWithoutAck: 7, otherReplicas: 0 });
    assert.ok(node.status().alarms.some((alarm) => /does not wait for binraft/.test(alarm)));
    await time.advance(120_000);
    source.status.set(`Rpl_semi_sync_${side}_clients`, "2");
    await time.advance(30_000);
    const others = /^The source has 1 semi-sync replica beside binraft: .* = OFF there$/;
    assert.ok(node.status().alarms.some((alarm) => others.test(alarm)));
    const told = world.lines.filter((line) => /does not wait for binraft/.test(line));
    assert.equal(told.length, 1, told.join("\n"));
    assert.match(told[0]!, new RegExp(`^warn .*rpl_semi_sync_${side}_timeout`));
    assert.equal(node.status().syncer.state, "RUNNING");
    // A look is one statement, and none that could wait for a commit.
    const looks = source.statements.slice(-4);
    assert.equal(looks.filter((sql) => sql.includes("STATUS")).length, 1, looks.join());
    await time.run(() => node.stop());
  });
}

test("A source without the plugin is not asked for its counters", async () => {
  const world = new NodeWorld(4);
  const { time } = world.world;
  const source = await time.run(() => WorldSource.start(world.world, "source", A, ""));
  const node = await world.start({ source: source.settings(world.machine) });
  assert.ok(await time.runUntil(() => node.status().syncer.state === "RUNNING", 30_000));
  await time.advance(60_000);
  assert.equal(node.status().syncer.semiSyncSource, null);
  assert.ok(!source.statements.some((sql) => sql.includes("STATUS")), source.statements.join());
  await time.run(() => node.stop());
});

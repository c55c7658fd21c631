import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "../../../src/base/logger.ts";
import { MysqlError } from "../../../src/mysql/errors.ts";
import { textColumn } from "../../../src/mysql/result-set.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import type { TableAnswer } from "../../../src/server/tables.ts";
import type { SourceConfig } from "../../../src/syncer/host.ts";
import { SourceTablesReader } from "../../../src/syncer/source-tables.ts";
import { waitFor } from "../../support/wait-for.ts";
import { platform, serve } from "../server/harness.ts";
import { SOURCE } from "../server/make-file.ts";
import { MemoryStream } from "../server/memory-stream.ts";

/** A server that takes questions, for a source; it answers when it is told to. */
class FakeSource {
  readonly asked: string[] = [];
  readonly #held: (() => void)[] = [];
  holds = false;
  answer = (sql: string): TableAnswer => ({ columns: [textColumn("said")], rows: [[sql]] });

  readonly tables = {
    read: async (sql: string): Promise<TableAnswer> => {
      this.asked.push(sql);
      if (this.holds) await new Promise<void>((resolve) => this.#held.push(resolve));
      return this.answer(sql);
    },
  };

  release(): void {
    this.holds = false;
    for (const held of this.#held.splice(0)) held();
  }
}

async function reading(
  use: (parts: {
    reader: SourceTablesReader;
    source: FakeSource;
    connections: () => number;
    come: () => void;
    /** What ends the waiting of each that waits. */
    patience: (() => void)[];
    reconfigure: (change: Partial<SourceConfig> | null) => void;
  }) => Promise<void>,
): Promise<void> {
  const source = new FakeSource();
  await using run = await serve(new MemoryStream(SOURCE, "9.7.4"), { tables: () => source.tables });
  let config: SourceConfig | null = {
    host: "127.0.0.1",
    port: run.port,
    user: "repl",
    password: "secret",
    tls: "disabled",
    tlsCa: null,
    tlsCert: null,
    tlsKey: null,
    publicKey: null,
    semiSync: false,
    nativePassword: false,
    serverId: 4000,
    serverUuid: SOURCE,
    keepConnection: false,
  };
  let asOf = 1;
  const patience: (() => void)[] = [];
  const clock: Clock = {
    ...platform.clock,
    after(ms, fn) {
      if (ms === 15_000) patience.push(fn);
      return platform.clock.after(ms, fn);
    },
  };
  const reader = new SourceTablesReader({
    platform: { ...platform, clock },
    logger: silentLogger,
    config: async () => config,
    asOf: () => asOf,
  });
  try {
    await use({
      reader,
      source,
      connections: () => run.server.status().counters.logins,
      come: () => asOf++,
      patience,
      reconfigure: (change) => {
        config = change === null || config === null ? null : { ...config, ...change };
      },
    });
  } finally {
    source.release();
    reader.stop();
  }
}

const ask = (name: string): string => `SHOW CREATE TABLE \`d\`.\`${name}\``;

test("an answer is given again while nothing new has come from the source", () =>
  reading(async ({ reader, source, connections, come }) => {
    const first = await reader.read(ask("t"));
    assert.deepEqual(first.rows, [[ask("t")]]);
    assert.deepEqual((await reader.read(ask("t"))).rows, first.rows);
    assert.equal(source.asked.length, 1);
    come();
    await reader.read(ask("t"));
    assert.equal(source.asked.length, 2, "a change of the table may have come");
    await reader.read(ask("u"));
    assert.equal(connections(), 1, "one after the other on one connection");
  }));

test("the same question of many at once is one", () =>
  reading(async ({ reader, source }) => {
    source.holds = true;
    const all = Promise.all(Array.from({ length: 50 }, () => reader.read(ask("t"))));
    await waitFor(() => source.asked.length > 0, { deadlineMs: 5_000, what: "the question" });
    source.release();
    assert.equal((await all).length, 50);
    assert.equal(source.asked.length, 1);
  }));

test("few are asked at once, a bounded number waits, and the next is refused", () =>
  reading(async ({ reader, source, connections }) => {
    source.holds = true;
    const asked = Array.from({ length: 68 }, (_, i) => reader.read(ask(`t${i}`)));
    await waitFor(() => source.asked.length === 4, { deadlineMs: 5_000, what: "four questions" });
    await assert.rejects(reader.read(ask("more")), /Too many questions about tables wait/);
    assert.equal(source.asked.length, 4);
    source.release();
    assert.equal((await Promise.all(asked)).length, 68);
    assert.equal(connections(), 4);
  }));

test("who waits too long for its turn is refused, and the others go on", () =>
  reading(async ({ reader, source, patience }) => {
    source.holds = true;
    const asked = Array.from({ length: 4 }, (_, i) => reader.read(ask(`t${i}`)));
    await waitFor(() => source.asked.length === 4, { deadlineMs: 5_000, what: "four questions" });
    const [late, next] = [reader.read(ask("late")), reader.read(ask("next"))];
    await waitFor(() => patience.length === 2, { deadlineMs: 5_000, what: "two that wait" });
    patience[0]!();
    await assert.rejects(late, /Too many questions about tables wait/);
    source.release();
    assert.equal((await Promise.all([...asked, next])).length, 5);
    assert.ok(!source.asked.includes(ask("late")));
  }));

test("what the source refuses is told in its words and not remembered; the connection lives", () =>
  reading(async ({ reader, source, connections }) => {
    source.answer = () => {
      throw new MysqlError(1142, "42000", "SELECT command denied");
    };
    for (let i = 0; i < 2; i++) {
      await assert.rejects(
        reader.read(ask("t")),
        (error) => error instanceof MysqlError && error.errno === 1142,
      );
    }
    assert.deepEqual([source.asked.length, connections()], [2, 1]);
  }));

test("an answer beyond the bounds is refused, and none of its bytes is kept", () =>
  reading(async ({ reader, source }) => {
    source.answer = () => ({
      columns: [textColumn("n")],
      rows: Array.from({ length: 50_001 }, (_, i) => [String(i)]),
    });
    await assert.rejects(reader.read(ask("t")), /cannot be asked .*more than 50000 rows/);
    source.answer = (sql) => ({ columns: [textColumn("said")], rows: [[sql]] });
    assert.equal((await reader.read(ask("t"))).rows.length, 1);
  }));

test("another source is asked anew; without one, or none to reach, that is told", () =>
  reading(async ({ reader, source, connections, reconfigure }) => {
    await reader.read(ask("t"));
    reconfigure({ serverId: 4001 });
    await reader.read(ask("t"));
    assert.deepEqual([source.asked.length, connections()], [2, 2]);
    reconfigure({ password: "wrong" });
    await assert.rejects(reader.read(ask("t")), /cannot be asked .*Access denied/);
    reconfigure(null);
    await assert.rejects(reader.read(ask("t")), /cannot be asked .*no source is set/);
  }));

test("once stopped it asks nothing more", () =>
  reading(async ({ reader, source }) => {
    source.holds = true;
    const asked = reader.read(ask("t"));
    await waitFor(() => source.asked.length === 1, { deadlineMs: 5_000, what: "the question" });
    reader.stop();
    await assert.rejects(asked, /cannot be asked/);
    await assert.rejects(reader.read(ask("u")), /cannot be asked/);
  }));

/**
 * The connection to the source is cut after every event, and inside every event, of a transaction
 * of several, twice in a row: stored bytes and executed set equal the reference, and a replica
 * never gets a part.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { rawFiles } from "../../demo/mysqlbinlog.ts";
import { TcpProxy } from "../../demo/network/tcp-proxy.ts";
import { SCHEMA } from "../../demo/workload.ts";
import { createSourceUser, LocalNode, SOURCE_USER, sourceSettings } from "../support/local-node.ts";
import { assertSameFiles } from "../support/same-files.ts";
import { waitFor } from "../support/wait-for.ts";

let source: MysqlServer;

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  await source.exec(SCHEMA);
  await source.exec("FLUSH BINARY LOGS");
  await source.exec(`BEGIN;
INSERT INTO shop.orders (region, note) VALUES ('a', REPEAT('x', 9000)), ('b', REPEAT('y', 9000));
UPDATE shop.orders SET amount = 5; DELETE FROM shop.orders; COMMIT`);
});

after(async () => {
  await source?.remove();
});

/** What the other connections get stays below this: only the dump is cut. */
const FIRST_CUT = 12_000;
const STEP = 2_111;

test("Wherever the connection breaks, twice, the stored file is the source's", async () => {
  const names = (await source.query("SHOW BINARY LOGS")).map((row) => row[0]!);
  const theirs = await rawFiles({ host: source.host, port: source.port, ...SOURCE_USER }, names);
  const total = names.reduce((sum, name) => sum + theirs.get(name)!.length, 0);
  const proxy = await TcpProxy.start({ host: source.host, port: source.port });
  let cuts = 0;
  try {
    for (let at = FIRST_CUT; at < total; at += STEP) {
      await pull(proxy, [at, at + 7], names, theirs);
      cuts += 2;
    }
  } finally {
    await proxy.close();
  }
  assert.ok(cuts > 20, `${cuts} cuts`);
});

/** A node from scratch through the proxy; its first dump is cut after so many bytes, and its second. */
async function pull(
  proxy: TcpProxy,
  cuts: readonly [number, number],
  names: readonly string[],
  theirs: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  proxy.heal();
  proxy.faults.cutAfterBytes.down = cuts[0];
  const settings = sourceSettings(
    { host: "127.0.0.1", port: proxy.port, binlogDir: source.binlogDir },
    { semiSync: false },
  );
  const node = await LocalNode.start({ source: settings, settings: { segmentBytes: 1024 * 1024 } });
  const attempts = (): number => node.node.status().syncer.attempts;
  try {
    await waitFor(() => attempts() >= 2, { deadlineMs: 10_000, what: "the first cut", pollMs: 2 });
    proxy.faults.cutAfterBytes.down = cuts[1];
    await waitFor(() => attempts() >= 3, { deadlineMs: 10_000, what: "the second cut", pollMs: 2 });
    proxy.heal();
    await waitFor(
      () => names.every((name, i) => node.node.files()[i]?.size === theirs.get(name)!.length),
      {
        deadlineMs: 20_000,
        what: `all files after cuts at ${cuts.join()}`,
      },
    );
    const ours = new Map<string, Uint8Array>();
    for (const name of names) ours.set(name, await node.exportFile(name));
    assertSameFiles(ours, theirs);
    const executed = await source.value("SELECT @@GLOBAL.gtid_executed");
    assert.equal(node.node.gtid().executed, executed.replaceAll("\n", ""));
  } finally {
    await node.stop();
  }
}

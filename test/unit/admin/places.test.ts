import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, setUp } from "./admin-support.ts";

const AT_WORK = 16;
const DOWNLOADS = 8;

test("of writes that wait, so many are at work and no more; reads and health go on", async () => {
  const { call, node } = setUp();
  const gate = Promise.withResolvers<void>();
  node.startSyncer = () => gate.promise;
  const start = (): Promise<Response> => call("POST", "/v1/syncer/start", { body: "{}" });
  const waiting = Array.from({ length: AT_WORK }, start);
  const refused = await start();
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal((await problemOf(refused)).code, "BR4012");
  assert.equal((await call("GET", "/v1/status")).status, 200);
  assert.equal((await call("GET", "/livez")).status, 200);
  assert.equal(
    (await call("POST", "/v1/x", { headers: { Authorization: "Bearer y" } })).status,
    401,
  );
  gate.resolve();
  for (const response of await Promise.all(waiting)) assert.notEqual(response.status, 503);
  assert.notEqual((await start()).status, 503);
});

test("of requests that come at once one begins in each turn of the loop, refused ones too", async () => {
  const due: (() => void)[] = [];
  const { call } = setUp({ clock: { mono: () => 0, soon: (fn) => void due.push(fn) } });
  let answered = 0;
  const ask = async (path: string): Promise<void> => {
    await call("GET", path);
    answered++;
  };
  const all = ["/v1/status", "/v1/nothing", "/livez"].map(ask);
  for (let turn = 0; turn < 3; turn++) {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual([answered, due.length], [turn, 1]);
    due.shift()!();
  }
  await Promise.all(all);
});

test("of downloads so many are under way; each end, leaving and failure frees its place", async () => {
  const { call, node } = setUp();
  const raw = (): Promise<Response> => call("GET", "/v1/binlogs/b.000001/raw");
  const open = await Promise.all(Array.from({ length: DOWNLOADS }, raw));
  assert.equal((await raw()).status, 503);
  await open[0]!.body!.cancel();
  const next = await raw();
  assert.equal(next.status, 200);
  assert.equal((await raw()).status, 503);
  await next.arrayBuffer();
  node.exportFile = async function* () {
    yield Uint8Array.of(1);
    throw new Error("the disk is gone");
  };
  await assert.rejects((await raw()).arrayBuffer());
  const backup = await call("GET", "/v1/backup");
  assert.equal(backup.status, 200);
  assert.equal((await raw()).status, 503);
  for (const response of [...open.slice(1), backup]) await response.body!.cancel();
});

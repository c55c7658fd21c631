/** The tests' own tools: waiting with a deadline and the faulty proxy. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TcpProxy } from "../../../demo/network/tcp-proxy.ts";
import type { Conn } from "../../../src/platform/net.ts";
import { readReport } from "../../support/other-runners.ts";
import { thisPlatform } from "../../support/this-platform.ts";
import { waitFor } from "../../support/wait-for.ts";

const { net } = await thisPlatform();

test("waitFor returns the value, or says what it waited for and what it saw", async () => {
  let count = 0;
  assert.equal(
    await waitFor(() => ++count === 3 && "done", { deadlineMs: 5_000, what: "it" }),
    "done",
  );
  const never = waitFor(() => 0, { deadlineMs: 30, what: "a number", pollMs: 5 });
  await assert.rejects(never, /ms in vain for a number: last value 0/);
  const broken = waitFor(() => Promise.reject(new Error("down")), { deadlineMs: 30, what: "it" });
  await assert.rejects(broken, /last error Error: down/);
});

/** An echo server behind a proxy. */
async function echo(
  use: (proxy: TcpProxy, connect: () => Promise<Conn>) => Promise<void>,
): Promise<void> {
  const listener = await net.listen({ host: "127.0.0.1", port: 0 }, async (conn) => {
    for (let bytes = await conn.read(); bytes !== null; bytes = await conn.read())
      conn.write([bytes]);
  });
  const proxy = await TcpProxy.start(listener.address);
  try {
    await use(proxy, () => net.connect({ host: proxy.host, port: proxy.port }, 1_000));
  } finally {
    await proxy.close();
    await listener.close();
  }
}

async function readSome(conn: Conn, length: number): Promise<number> {
  let got = 0;
  while (got < length) {
    const bytes = await conn.read();
    if (bytes === null) break;
    got += bytes.length;
  }
  return got;
}

async function roundTrip(conn: Conn): Promise<void> {
  conn.write([Uint8Array.of(1)]);
  assert.equal(await readSome(conn, 1), 1);
}

test("the proxy passes, delays and ends", async () => {
  await echo(async (proxy, connect) => {
    const conn = await connect();
    conn.write([new Uint8Array(500_000)]);
    assert.equal(await readSome(conn, 500_000), 500_000);
    assert.deepEqual(proxy.passedBytes, { up: 500_000, down: 500_000 });
    proxy.faults.delayMs = 40;
    // No stopwatch: what went the delayed way first comes back after what went the plain way.
    const plain = await connect();
    await roundTrip(plain);
    proxy.faults.delayMs = 300;
    const delayed = roundTrip(conn).then(() => "delayed");
    await waitFor(() => proxy.heldPieces > 0, { deadlineMs: 5_000, what: "a piece to be held" });
    proxy.faults.delayMs = 0;
    assert.equal(await Promise.race([delayed, roundTrip(plain).then(() => "plain")]), "plain");
    assert.equal(await delayed, "delayed");
    for (const one of [conn, plain]) {
      one.end();
      await one.closed;
    }
    await waitFor(() => proxy.connections === 0, { deadlineMs: 5_000, what: "the link to end" });
  });
});

test("the proxy cuts after so many bytes, swallows, refuses", async () => {
  await echo(async (proxy, connect) => {
    proxy.faults.cutAfterBytes.down = 1_000;
    const cut = await connect();
    cut.write([new Uint8Array(5_000)]);
    assert.ok((await readSome(cut, 5_000)) <= 1_000);
    assert.equal((await cut.closed).kind, "reset");
    proxy.heal();

    const silent = await connect();
    proxy.faults.blackHole.up = true;
    silent.write([Uint8Array.of(1)]);
    const answered = silent.read().then(() => true);
    const timeout = new Promise((resolve) => setTimeout(() => resolve(false), 100));
    assert.equal(await Promise.race([answered, timeout]), false);
    proxy.cut();
    assert.equal((await silent.closed).kind, "reset");
    proxy.heal();

    proxy.faults.refuse = true;
    const refused = await connect().catch(() => null);
    if (refused !== null) assert.equal((await refused.closed).kind, "reset");
  });
});

test("the reports of Bun's and Deno's runners are counted test by test", () => {
  const bun = `<testsuites name="bun test" tests="3" failures="1" skipped="1">
    <testsuite name="a.test.ts"><testcase name="one &amp; &quot;two&quot;" time="1" />
    <testcase name="three" time="1"><skipped /></testcase>
    <testcase name="four &lt;5" time="1"><failure type="AssertionError"/></testcase></testsuite>`;
  assert.deepEqual(readReport(bun), { passed: 1, failed: ["four <5"], skipped: ["three"] });
  const deno = `<testsuites name="deno test" tests="2" failures="1" errors="0">
    <testcase name="one" classname="./a.ts" line="1" col="7">
    </testcase>
    <testcase name="two" classname="./a.ts" line="2" col="7">
      <failure message="no"> &lt;testcase name=&quot;x&quot;&gt; </failure>
    </testcase>`;
  assert.deepEqual(readReport(deno), { passed: 1, failed: ["two"], skipped: [] });
  assert.deepEqual(readReport("<testsuites/>"), { passed: 0, failed: [], skipped: [] });
});

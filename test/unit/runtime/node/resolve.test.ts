/** Names that one name server knows: in look-ups and when connecting, on the runtime that runs this. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../../../../demo/mysql/server.ts";
import { OWN_RUNTIME } from "../../../../demo/runtimes.ts";
import { nodeDns } from "../../../../runtime/node/dns.ts";
import { nodeNet } from "../../../../runtime/node/net.ts";
import { internalNames, wholeTexts } from "../../../../runtime/node/resolve.ts";
import { FakeDns } from "../../../support/fake-dns.ts";

const OPTIONS = { splitsTexts: OWN_RUNTIME === "bun" };
const NAME = "m1.vm.demo.internal";

async function withDns(work: (dns: FakeDns) => Promise<void>): Promise<void> {
  const dns = await FakeDns.start();
  try {
    await work(dns);
  } finally {
    await dns.close();
  }
}

test("only names under .internal are asked of the name server, and none without one", async () => {
  await withDns(async (dns) => {
    const internal = internalNames(dns.address, OPTIONS);
    for (const name of [NAME, "demo.internal", "X.INTERNAL", "demo.internal."])
      assert.notEqual(internal(name), null, name);
    for (const name of ["internal", "example.com", "notinternal", "127.0.0.1", "x.internal.com"])
      assert.equal(internal(name), null, name);
    assert.equal(internalNames(undefined, OPTIONS)(NAME), null);
    assert.equal(internalNames("", OPTIONS)(NAME), null);
  });
});

test("look-ups: long texts whole, addresses, names that do not exist; each is asked anew", async () => {
  await withDns(async (fake) => {
    const { resolve } = nodeDns(internalNames(fake.address, OPTIONS), OPTIONS);
    fake.records.set("two.demo.internal", { TXT: ["one", "two"] });
    assert.deepEqual((await resolve("two.demo.internal", "TXT")).sort(), ["one", "two"]);
    const list = Array.from({ length: 40 }, (_, i) => `machine${i} iad`).join(",");
    fake.records.set("all.vms.demo.internal", { TXT: [list] });
    assert.deepEqual(await resolve("all.vms.demo.internal", "TXT"), [list]);
    fake.records.set(NAME, { AAAA: ["::ffff:127.0.1.2"] });
    assert.deepEqual(await resolve(NAME, "AAAA"), ["::ffff:127.0.1.2"]);
    fake.records.set(NAME, { AAAA: ["::ffff:127.0.1.3"] });
    assert.deepEqual(await resolve(NAME, "AAAA"), ["::ffff:127.0.1.3"]);
    await assert.rejects(resolve("gone.demo.internal", "TXT"), {
      name: "NetError",
      code: "ENOTFOUND",
    });
    await assert.rejects(
      resolve("gone.demo.internal", "AAAA"),
      /Cannot resolve gone\.demo\.internal/,
    );
    assert.equal(fake.asked.filter((one) => one === `AAAA ${NAME}`).length, 2);
  });
});

test("connecting: the name is looked up each time, and the first address that answers is taken", async () => {
  await withDns(async (fake) => {
    const net = nodeNet(
      { wrapDuplex: false, joinsCorked: false },
      internalNames(fake.address, OPTIONS),
    );
    const port = await freePort();
    const open = async (host: string): Promise<() => Promise<void>> => {
      const listener = await net.listen({ host, port }, (conn) => {
        conn.write([new TextEncoder().encode(host)]);
        conn.end();
      });
      return () => listener.close();
    };
    const reached = async (): Promise<string> => {
      const conn = await net.connect({ host: NAME, port }, 5_000);
      const bytes = await conn.read();
      conn.end();
      await conn.closed;
      return new TextDecoder().decode(bytes ?? new Uint8Array());
    };
    const close = await Promise.all(["127.0.1.2", "127.0.1.3"].map(open));
    fake.records.set(NAME, { AAAA: ["::ffff:127.0.1.2"] });
    assert.equal(await reached(), "127.0.1.2");
    fake.records.set(NAME, { AAAA: ["::ffff:127.0.1.9", "::ffff:127.0.1.3"] });
    assert.equal(await reached(), "127.0.1.3");
    for (const end of close) await end();
    await assert.rejects(reached(), {
      code: "ECONNREFUSED",
      message: /Cannot connect to .*internal/,
    });
    await assert.rejects(net.connect({ host: "gone.demo.internal", port }, 5_000), {
      code: "ENOTFOUND",
    });
  });
});

test("connecting: a name server that says nothing costs no more than the time that is given", async () => {
  await withDns(async (fake) => {
    fake.silent = true;
    const net = nodeNet(
      { wrapDuplex: false, joinsCorked: false },
      internalNames(fake.address, OPTIONS),
    );
    await assert.rejects(net.connect({ host: NAME, port: 1 }, 200), {
      code: "ETIMEDOUT",
      message: /no answer in 200 ms/,
    });
    assert.ok(fake.asked.length > 0);
  });
});

test("strings that are full go on in the next one", () => {
  const full = "x".repeat(255);
  assert.deepEqual(wholeTexts(["a", "b"]), ["a", "b"]);
  assert.deepEqual(wholeTexts([full, full, "end", "b"]), [`${full}${full}end`, "b"]);
  assert.deepEqual(wholeTexts([full]), [full]);
  assert.deepEqual(wholeTexts([]), []);
});

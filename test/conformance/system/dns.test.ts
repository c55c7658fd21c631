/** Name look-ups of this runtime against a name server of the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OWN_RUNTIME } from "../../../demo/runtimes.ts";
import { FakeDns, type FakeRecords } from "../../support/fake-dns.ts";
import { thisPlatform } from "../../support/this-platform.ts";

/** As long as one string of a TXT record can be. */
const LONG = "iad,".repeat(63).padEnd(255, ".");
const RECORDS: Readonly<Record<string, FakeRecords>> = {
  "one.test": { A: ["192.0.2.1", "192.0.2.2"] },
  // As the private network of a cloud has them: no IPv4 at all.
  "six.test": { AAAA: ["fdaa:0:0:0:0:0:0:7"] },
  "text.test": { TXT: [`${LONG}the rest`, "second"] },
};

async function nameServer(): Promise<FakeDns> {
  const server = await FakeDns.start();
  for (const [name, records] of Object.entries(RECORDS)) server.records.set(name, records);
  return server;
}

const options = { timeout: 15 * 60_000 };

test(`${OWN_RUNTIME}: addresses and texts come from the name server`, options, async () => {
  const server = await nameServer();
  try {
    const { dns } = await thisPlatform({ servers: [server.address] });
    assert.deepEqual(await dns.resolve("one.test", "A"), ["192.0.2.1", "192.0.2.2"]);
    assert.deepEqual(await dns.resolve("six.test", "AAAA"), ["fdaa::7"]);
    // The strings of one record are one text.
    assert.deepEqual(await dns.resolve("text.test", "TXT"), [`${LONG}the rest`, "second"]);
    assert.deepEqual(server.asked, ["A one.test", "AAAA six.test", "TXT text.test"]);
  } finally {
    await server.close();
  }
});

test(
  `${OWN_RUNTIME}: a name that is not there, and one without such a record`,
  options,
  async () => {
    const server = await nameServer();
    try {
      const { dns } = await thisPlatform({ servers: [server.address] });
      const none = { name: "NetError", code: "ENOTFOUND" };
      await assert.rejects(dns.resolve("none.test", "TXT"), none);
      await assert.rejects(dns.resolve("none.test", "A"), none);
      const other = dns.resolve("one.test", "TXT");
      await assert.rejects(other, (error: Error & { code: string }) => {
        return error.name === "NetError" && ["ENODATA", "ENOTFOUND"].includes(error.code);
      });
    } finally {
      await server.close();
    }
  },
);

test(`${OWN_RUNTIME}: a name server that says nothing is given up`, options, async () => {
  const server = await nameServer();
  try {
    server.silent = true;
    const { dns } = await thisPlatform({ servers: [server.address], timeoutMs: 100 });
    const silent = dns.resolve("silent.test", "TXT");
    await assert.rejects(silent, { name: "NetError" });
    assert.ok(server.asked.length >= 1);
  } finally {
    await server.close();
  }
});

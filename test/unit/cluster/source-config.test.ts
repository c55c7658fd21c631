import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCrypto } from "../../../runtime/node/crypto.ts";
import { nodeRandom } from "../../../runtime/node/random.ts";
import type { SourceSettings } from "../../../src/cluster/command.ts";
import { Seal } from "../../../src/cluster/seal.ts";
import {
  resolveSource,
  type SecretReader,
  sealChange,
} from "../../../src/cluster/source-config.ts";
import { DiskError } from "../../../src/platform/disk.ts";

const SEAL = new Seal(nodeCrypto, nodeRandom(), async () => [new Uint8Array(32)], "c1");
const PLACES = { folder: "/s", named: new Set<string>() };
const SETTINGS: SourceSettings = {
  host: "db",
  port: 3306,
  user: "u",
  passwordRef: "file:/s/pw",
  tls: "verify-ca",
  tlsCa: "/s/ca.pem",
  tlsCert: null,
  tlsKey: null,
  publicKeyFile: null,
  semiSync: true,
  serverId: 4000,
  nativePassword: false,
  keepConnection: true,
  region: null,
};

/** Of these files; what is asked for is noted with its bounds. */
function readerOf(files: Readonly<Record<string, string>>): SecretReader & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    seal: SEAL,
    process: {
      env: { BINRAFT_PW: "from the environment" },
      async readTextFile(path, limits) {
        asked.push(`${path} ${limits?.maxBytes} ${limits?.isSecret}`);
        const text = files[path];
        if (text === undefined) throw new DiskError("ENOENT", path);
        if (text === "open") throw new DiskError("EMODE", path);
        return text;
      },
    },
  };
}

test("secrets are read at each use, small ones and keys by their bounds", async () => {
  const reader = readerOf({ "/s/pw": "s3cret\n", "/s/ca.pem": "CA", "/s/key": "KEY" });
  const config = await resolveSource({ ...SETTINGS, tlsKey: "/s/key" }, reader, "uuid");
  assert.deepEqual([config.password, config.tlsCa, config.tlsKey], ["s3cret", "CA", "KEY"]);
  assert.deepEqual(reader.asked, [
    "/s/pw 4096 true",
    "/s/ca.pem 1048576 false",
    "/s/key 65536 true",
  ]);
  const env = await resolveSource({ ...SETTINGS, passwordRef: "env:BINRAFT_PW" }, reader, "uuid");
  assert.equal(env.password, "from the environment");
});

test("what may not be read is refused by the name of its setting, and not opened", async () => {
  const reader = readerOf({ "/s/pw": "open" });
  const refused = async (change: Partial<SourceSettings>, message: RegExp): Promise<void> =>
    assert.rejects(resolveSource({ ...SETTINGS, ...change }, reader, "uuid"), { message });
  await refused({}, /"\/s\/pw" \(source\.password_file\): others than its owner.*chmod 600/);
  await refused({ passwordRef: null }, /"\/s\/ca\.pem" \(source\.tls_ca\): it does not exist/);
  for (const change of [
    { passwordRef: "file:/etc/shadow" },
    { passwordRef: "env:PATH" },
    { tlsCa: "/dev/zero" },
    { tlsKey: "/etc/ssl/key" },
  ])
    await assert.rejects(sealChange(change, SETTINGS, SEAL, PLACES), /may not be used here/);
});

test("a password that is given travels sealed, and so does a key; a certificate as it is", async () => {
  const key = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n";
  const ca = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
  const given = { password: "s3cret", tlsKey: key, tlsCa: `${ca}\0` };
  const sealed = await sealChange(given, SETTINGS, SEAL, PLACES);
  assert.ok(!JSON.stringify(sealed).includes("s3cret") && !("password" in sealed));
  assert.match(sealed.tlsKey!, /^sealed:/);
  assert.equal(sealed.tlsCa, ca);
  const config = await resolveSource({ ...SETTINGS, ...sealed }, readerOf({}), "uuid");
  assert.deepEqual([config.password, config.tlsKey, config.tlsCa], ["s3cret", key, ca]);
  const cut = sealChange({ tlsCa: "-----BEGIN CERTIFICATE-----\nx" }, SETTINGS, SEAL, PLACES);
  await assert.rejects(cut, /a beginning and no end/);
  const moved = { ...SETTINGS, ...sealed, host: "evil" };
  await assert.rejects(resolveSource(moved, readerOf({}), "uuid"), /for another server/);
});

test("another host does not get the password unless it is named again", async () => {
  const move = (change: object): Promise<unknown> =>
    sealChange({ host: "other", ...change }, SETTINGS, SEAL, PLACES);
  await assert.rejects(move({}), { message: /^The password is for db:/, next: /--password-file/ });
  await move({ password: "s3cret" });
  await move({ passwordRef: "file:/s/pw" });
  assert.deepEqual(await sealChange({ port: 3310, host: "db" }, SETTINGS, SEAL, PLACES), {
    port: 3310,
    host: "db",
  });
  assert.deepEqual(await sealChange({ host: "first" }, null, SEAL, PLACES), { host: "first" });
  const twice = sealChange({ password: "a", passwordRef: "file:/s/pw" }, SETTINGS, SEAL, PLACES);
  await assert.rejects(twice, /given twice/);
});

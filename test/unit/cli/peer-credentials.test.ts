import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { BinraftError } from "../../../src/base/errors.ts";
import { peerCredentials } from "../../../src/cli/peer-credentials.ts";
import type { PeerCredentials } from "../../../src/peers/handshake.ts";
import { createAuthority } from "../../support/authority.ts";
import { type TempDir, tempDir } from "../../support/temp-dir.ts";
import { configFor, platform } from "./node-config.ts";

const OPTIONS = {
  ca: "cluster.tls_ca",
  cert: "cluster.tls_cert",
  key: "cluster.tls_key",
  secret: "cluster.secret_file",
} as const;
type Files = Partial<Record<keyof typeof OPTIONS, string>>;

const fileOf = (dir: TempDir, name: string): string => path.join(dir.path, `${name}.pem`);

/** With these contents in files that the options name. */
async function reader(dir: TempDir, files: Files): Promise<() => Promise<PeerCredentials>> {
  const flags: Record<string, string> = {};
  for (const [name, text] of Object.entries(files)) {
    flags[OPTIONS[name as keyof Files]] = fileOf(dir, name);
    await writeFile(fileOf(dir, name), text, { mode: 0o600 });
  }
  const config = await configFor(path.join(dir.path, "data"), flags);
  return peerCredentials(platform, config, config.cluster!);
}

const authority = await createAuthority("the CA");
const node = { ca: authority.ca, ...(await authority.issue("node")) };
const SECRET = "a secret of 16 characters or more";

test("peerCredentials gives the operator's certificate, the CA and the secrets", async () => {
  await using dir = await tempDir("peer-credentials");
  const certified = await reader(dir, node);
  assert.deepEqual(await certified(), { ...node, secrets: [] });
  const both = await reader(dir, { ...node, secret: `${SECRET}\n${SECRET} too\n` });
  assert.deepEqual(await both(), { ...node, secrets: [SECRET, `${SECRET} too`] });
});

test("peerCredentials makes a certificate of the node's own for the secret, and keeps it", async () => {
  await using dir = await tempDir("peer-credentials");
  const first = await (await reader(dir, { secret: SECRET }))();
  assert.equal(first.ca, null);
  assert.deepEqual(await (await reader(dir, { secret: SECRET }))(), first);
});

test("peerCredentials reads anew what was replaced, and says what cannot be read meanwhile", async () => {
  await using dir = await tempDir("peer-credentials");
  const read = await reader(dir, node);
  const renewed = await authority.issue("node");
  await writeFile(fileOf(dir, "cert"), renewed.cert);
  await assert.rejects(read, /The key in ".*key\.pem" \(cluster\.tls_key\) is not that of/);
  await writeFile(fileOf(dir, "key"), renewed.key, { mode: 0o600 });
  assert.equal((await read()).cert, renewed.cert);
  await rm(fileOf(dir, "ca"));
  await assert.rejects(read, /Cannot read ".*ca\.pem" \(cluster\.tls_ca\): it does not exist/);
  await writeFile(fileOf(dir, "ca"), authority.ca);
  assert.equal((await read()).ca, authority.ca);
});

test("peerCredentials refuses what cannot be used, by the option's name, before a node starts", async () => {
  const another = await authority.issue("another");
  const broken = node.ca.replace(/\n.{20}/, "\n");
  const cases: readonly [Files, RegExp][] = [
    [{ ca: "" }, /Cannot use ".*ca\.pem" \(cluster\.tls_ca\)/],
    [{ ca: "# no certificate" }, /cluster\.tls_ca.*certificates, each of them whole/],
    [{ ca: node.ca + broken }, /cluster\.tls_ca/],
    [{ ca: node.ca + node.ca.slice(0, 200) }, /cluster\.tls_ca/],
    [{ cert: node.key }, /Cannot use ".*cert\.pem" \(cluster\.tls_cert\)/],
    [{ key: node.cert }, /Cannot use ".*key\.pem" \(cluster\.tls_key\)/],
    [{ key: another.key }, /is not that of the certificate in ".*cert\.pem" \(cluster\.tls_cert\)/],
    [{ secret: "short" }, /The cluster secret is too short/],
  ];
  for (const [files, why] of cases) {
    await using dir = await tempDir("peer-credentials");
    await assert.rejects(reader(dir, { ...node, ...files }), (error) => {
      assert.ok(error instanceof BinraftError && error.next !== "");
      assert.match(error.message, why);
      return error.code === "BR1006";
    });
  }
  await using dir = await tempDir("peer-credentials");
  const several = await reader(dir, { ...node, ca: `# old\n${node.ca}# new\n${node.ca}` });
  assert.equal((await several()).cert, node.cert);
});

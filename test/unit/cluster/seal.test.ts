import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeCrypto } from "../../../runtime/node/crypto.ts";
import { nodeRandom } from "../../../runtime/node/random.ts";
import { isSealed, Seal, sealKey } from "../../../src/cluster/seal.ts";

const USE = "source.password_file";
const seals = (clusterId: string, ...secrets: readonly string[]): Seal => {
  const keys = secrets.map((secret) => sealKey(nodeCrypto, secret));
  return new Seal(nodeCrypto, nodeRandom(), async () => keys, clusterId);
};

test("a sealed secret opens with the key, for the use and the host that it is for, and not otherwise", async () => {
  const seal = seals("c1", "the secret of the cluster");
  for (const secret of ["x", "hunter2", "ÿ ⛵", "k".repeat(10_000)]) {
    const sealed = await seal.seal(secret, USE, "db");
    assert.ok(isSealed(sealed));
    const plain = Buffer.from(secret).toString("hex");
    if (secret.length > 5) assert.ok(!sealed.includes(plain) && !sealed.includes(secret));
    assert.equal(await seal.open(sealed, USE, "db"), secret);
    assert.notEqual(await seal.seal(secret, USE, "db"), sealed, "no nonce is used twice");
  }
  const sealed = await seal.seal("hunter2", USE, "db");
  const strangers: readonly Promise<string>[] = [
    seal.open(sealed, USE, "evil"),
    seal.open(sealed, "source.tls_key", "db"),
    seals("c2", "the secret of the cluster").open(sealed, USE, "db"),
    seals("c1", "another secret").open(sealed, USE, "db"),
    seals("c1").open(sealed, USE, "db"),
  ];
  for (const opened of strangers)
    await assert.rejects(opened, /was sealed with a cluster secret that this node does not have/);
});

test("no byte of it can be changed or missing, and what is none is refused", async () => {
  const seal = seals("c1", "k");
  const sealed = await seal.seal("hunter2", USE, "db");
  const hex = sealed.slice("sealed:".length);
  const bad = ["", "zz", "0", "00", "sealed", hex.slice(2), hex.slice(0, -2), `${hex}00`];
  for (let at = 0; at < hex.length; at++)
    bad.push(`${hex.slice(0, at)}${hex[at] === "0" ? "1" : "0"}${hex.slice(at + 1)}`);
  for (const text of bad)
    await assert.rejects(seal.open(`sealed:${text}`, USE, "db"), { name: "OperationError" });
});

test("while the cluster secret is changed, the first one seals and all open", async () => {
  const old = await seals("c1", "old").seal("hunter2", USE, "db");
  const both = seals("c1", "new", "old");
  assert.equal(await both.open(old, USE, "db"), "hunter2");
  const fresh = await both.seal("hunter2", USE, "db");
  assert.equal(await seals("c1", "new").open(fresh, USE, "db"), "hunter2");
  await assert.rejects(seals("c1", "old").open(fresh, USE, "db"));
});

test("without a secret in common nothing is sealed, and the sentence says what to do", async () => {
  await assert.rejects(seals("c1").seal("hunter2", USE, "db"), {
    name: "OperationError",
    next: /cluster\.secret_file.*--password-ref/,
  });
});

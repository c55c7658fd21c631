import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nodeCrypto } from "../../../../runtime/node/crypto.ts";
import { encodeText, fromHex, toHex } from "../../../../src/base/bytes.ts";
import * as sha2 from "../../../../src/mysql/auth/caching-sha2-password.ts";
import * as native from "../../../../src/mysql/auth/native-password.ts";
import { createVerifiers, fakeVerifiers } from "../../../../src/mysql/auth/verifier.ts";

const nonce = encodeText("abcdefghij0123456789");

test("responses that a real replica and real server exchanged", () => {
  // The 9.7 replica in the capture logged in as repl with "replpw".
  const captured = fromHex("2e48087d1b1b0e0b69322e2a33660d2e432f457b");
  const response = fromHex("ad21af267f976f7ff93f690657f6d0f0db2eca792f80cf70c6c94663f5215754");
  assert.equal(toHex(sha2.sha2Response(nodeCrypto, "replpw", captured)), toHex(response));
  const oldNonce = fromHex("70276b674563415c2b5e79687d5d3638537a2d6d");
  const oldResponse = fromHex("07bddad1354608830c23960845c04ad1a042059f");
  assert.equal(toHex(native.nativeResponse(nodeCrypto, "replpw", oldNonce)), toHex(oldResponse));
});

test("the right password verifies, any other does not", () => {
  const password = fc.string({ minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(password, password, (right, tried) => {
      const verifier = sha2.sha2Verifier(nodeCrypto, right);
      const response = sha2.sha2Response(nodeCrypto, tried, nonce);
      assert.equal(sha2.verifySha2(nodeCrypto, verifier, nonce, response), right === tried);
      const clear = sha2.clearPassword(tried);
      assert.equal(sha2.verifySha2Clear(nodeCrypto, verifier, clear), right === tried);
      const old = native.nativeVerifier(nodeCrypto, right);
      const oldResponse = native.nativeResponse(nodeCrypto, tried, nonce);
      assert.equal(native.verifyNative(nodeCrypto, old, nonce, oldResponse), right === tried);
    }),
  );
});

test("random tokens of any length never pass and never throw", () => {
  const { sha2: verifier, native: old } = createVerifiers(nodeCrypto, "pw", { native: true });
  assert.ok(old !== null);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (token) => {
      assert.equal(sha2.verifySha2(nodeCrypto, verifier, nonce, token), false);
      assert.equal(sha2.verifySha2Clear(nodeCrypto, verifier, token), false);
      assert.equal(native.verifyNative(nodeCrypto, old, nonce, token), false);
    }),
    { numRuns: 5000 },
  );
  for (let length = 0; length < 256; length++) {
    const token = new Uint8Array(length);
    assert.equal(sha2.verifySha2(nodeCrypto, verifier, nonce, token), false);
    assert.equal(native.verifyNative(nodeCrypto, old, nonce, token), false);
  }
  // The NUL behind the password must be there, and be the last byte.
  assert.equal(sha2.verifySha2Clear(nodeCrypto, verifier, encodeText("pw\0")), true);
  for (const text of ["pw", "pwx", "pw\0\0", "pw\0x"]) {
    assert.equal(sha2.verifySha2Clear(nodeCrypto, verifier, encodeText(text)), false);
  }
  // The verifier itself is no password.
  assert.equal(sha2.verifySha2Clear(nodeCrypto, verifier, verifier), false);
  assert.equal(sha2.verifySha2(nodeCrypto, verifier, nonce, verifier), false);
});

test("RSA carries the password for one nonce and one key", async () => {
  const key = await nodeCrypto.generateRsaKey();
  const sealed = sha2.encryptPassword(nodeCrypto, "päss", nonce, key.publicKey);
  assert.equal(sealed.length, 256);
  const clear = sha2.decryptPassword(nodeCrypto, sealed, nonce, key.privateKey);
  assert.deepEqual(clear, encodeText("päss\0"));
  const otherNonce = nonce.slice().reverse();
  const other = sha2.decryptPassword(nodeCrypto, sealed, otherNonce, key.privateKey);
  assert.notDeepEqual(other, clear);
  assert.equal(sha2.decryptPassword(nodeCrypto, sealed.with(9, 1), nonce, key.privateKey), null);
  assert.equal(sha2.decryptPassword(nodeCrypto, new Uint8Array(0), nonce, key.privateKey), null);
});

test("accounts need a password", () => {
  assert.throws(() => createVerifiers(nodeCrypto, "", { native: false }), /Empty password/);
  assert.throws(() => createVerifiers(nodeCrypto, "a\0b", { native: false }), /NUL/);
  assert.equal(createVerifiers(nodeCrypto, "x", { native: false }).native, null);
});

test("a fake verifier is the same for a name, and of a real one's shape", () => {
  const secret = new Uint8Array(32).fill(1);
  const names = Array.from({ length: 200 }, (_, i) => `user${i}`);
  let withNative = 0;
  for (const name of names) {
    const fake = fakeVerifiers(nodeCrypto, secret, name, true);
    assert.deepEqual(fake, fakeVerifiers(nodeCrypto, secret, name, true));
    assert.equal(fake.sha2.length, 32);
    if (fake.native !== null) withNative++;
    assert.equal(fakeVerifiers(nodeCrypto, secret, name, false).native, null);
  }
  assert.ok(withNative > 50 && withNative < 150, String(withNative));
});

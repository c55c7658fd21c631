/** Conformance of clock, randomness, crypto, compression, names and the process. */
import assert from "node:assert/strict";
import { chmod } from "node:fs/promises";
import { delay } from "../../src/platform/clock.ts";
import { SECRET_FILE } from "../../src/platform/process.ts";
import type { Suite } from "./harness.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export function basicsConformance({ check }: Suite): void {
  check("timers fire in order, not much too early, and can be cancelled", async ({ platform }) => {
    const { clock } = platform;
    const started = clock.mono();
    const fired: string[] = [];
    clock.after(30, () => fired.push("late"));
    clock.after(5, () => fired.push("early"));
    const cancel = clock.after(10, () => fired.push("never"));
    cancel();
    cancel();
    clock.soon(() => fired.push("soon"));
    await delay(clock, 60);
    assert.deepEqual(fired, ["soon", "early", "late"]);
    assert.ok(clock.mono() - started >= 59);
    const wall = clock.wall();
    assert.ok(Number.isInteger(wall) && wall > 1_700_000_000_000);
    // Longer than setTimeout can: must not fire at once.
    const far = clock.after(2 ** 40, () => fired.push("far"));
    await delay(clock, 5);
    far();
    assert.equal(fired.length, 3);
  });

  check("delay ends when its signal is aborted", async ({ platform }) => {
    const stop = new AbortController();
    const waiting = delay(platform.clock, 3_600_000, stop.signal);
    stop.abort();
    await waiting;
    await delay(platform.clock, 3_600_000, stop.signal);
  });

  check("random bytes have their length and differ", async ({ platform }) => {
    const { random } = platform;
    assert.equal(random.bytes(33).length, 33);
    assert.notEqual(hex(random.bytes(16)), hex(random.bytes(16)));
    const draws = Array.from({ length: 1_000 }, () => random.u32());
    assert.ok(draws.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32));
    assert.ok(draws.some((value) => value > 2 ** 31) && new Set(draws).size > 990);
  });

  check("hashes and checksums give known answers", async ({ platform }) => {
    const { crypto } = platform;
    assert.equal(hex(crypto.sha1(text("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert.equal(hex(crypto.sha1(text("a"), text(""), text("bc"))), hex(crypto.sha1(text("abc"))));
    assert.equal(
      hex(crypto.sha256(text("abc"))),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    assert.equal(crypto.crc32(text("123456789")), 0xcbf43926);
    const long = new Uint8Array(5_000).map((_, i) => i);
    for (const split of [0, 1, 100, 199, 200, 4_900, 5_000]) {
      const first = crypto.crc32(long.subarray(0, split));
      assert.equal(crypto.crc32(long.subarray(split), first), crypto.crc32(long));
    }
    assert.equal(crypto.timingSafeEqual(text("same"), text("same")), true);
    assert.equal(crypto.timingSafeEqual(text("same"), text("sane")), false);
  });

  check("RSA-OAEP goes round and refuses garbage", async ({ platform }) => {
    const { crypto } = platform;
    const { privateKey, publicKey } = await crypto.generateRsaKey();
    const secret = text("correct horse\0");
    const sealed = crypto.rsaOaepEncrypt(publicKey, secret);
    assert.equal(sealed.length, 256);
    assert.deepEqual([...crypto.rsaOaepDecrypt(privateKey, sealed)], [...secret]);
    sealed[10]! ^= 1;
    assert.throws(() => crypto.rsaOaepDecrypt(privateKey, sealed));
    assert.throws(() => crypto.rsaOaepDecrypt(privateKey, new Uint8Array(256)));
    assert.throws(() => crypto.rsaOaepDecrypt(privateKey, new Uint8Array(3)));
  });

  check("compression checks the stated size", async ({ platform }) => {
    const { deflate, inflate, inflateLater, zstd } = platform.compress;
    const plain = text("binlog ".repeat(2_000));
    const ways = [{ pack: deflate, unpack: inflate, later: inflateLater }];
    assert.ok(zstd, "every supported runtime has zstd");
    const { compress, decompress, decompressLater } = zstd;
    ways.push({
      pack: (bytes) => compress(bytes, 3),
      unpack: decompress,
      later: decompressLater,
    });
    for (const { pack, unpack, later } of ways) {
      const packed = pack(plain);
      assert.ok(packed.length < plain.length / 10);
      assert.deepEqual(unpack(packed, plain.length), plain);
      assert.equal(unpack(pack(new Uint8Array(0)), 0).length, 0);
      assert.throws(() => unpack(packed, plain.length - 1));
      assert.throws(() => unpack(packed, plain.length + 1));
      assert.throws(() => unpack(packed.subarray(0, packed.length - 3), plain.length));
      assert.throws(() => unpack(text("neither zlib nor zstd"), 20));
      const bomb = pack(new Uint8Array(32 * 1024 * 1024));
      assert.throws(() => unpack(bomb, 1_000));
      assert.deepEqual(await later(packed, plain.length), plain);
      await assert.rejects(later(packed, plain.length + 1));
      await assert.rejects(later(packed.subarray(0, packed.length - 3), plain.length));
      await assert.rejects(later(bomb, 1_000));
    }
  });

  check("the process knows itself and its files", async (harness) => {
    const { process } = harness.platform;
    assert.ok(process.rssBytes() > 1_000_000);
    assert.ok(process.cpuMs() >= 0);
    assert.notEqual(process.runtime, "");
    const path = `${await harness.newRoot()}.txt`;
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield text("one ");
      yield text("two");
    }
    await process.writeFile(path, chunks(), 0o600);
    await process.writeFile(path, chunks(), 0o600);
    assert.equal(await process.readTextFile(path), "one two");
    const none = process.readTextFile(`${path}.none`);
    await assert.rejects(none, { name: "DiskError", code: "ENOENT" });
    const cancel = process.onSignal("SIGHUP", () => {});
    cancel();
  });

  check(
    "secrets are regular files, of bounded size, and for their owner alone",
    async (harness) => {
      const { process } = harness.platform;
      const path = `${await harness.newRoot()}.secret`;
      async function* chunks(bytes: number): AsyncGenerator<Uint8Array> {
        yield new Uint8Array(bytes).fill(97);
      }
      const read = (): Promise<string> => process.readTextFile(path, SECRET_FILE);
      await process.writeFile(path, chunks(4096), 0o600);
      assert.equal((await read()).length, 4096);
      await process.writeFile(path, chunks(4097), 0o600);
      await assert.rejects(read(), { name: "DiskError", code: "EFBIG" });
      // Files of the simulation have no modes, and there is nothing but files.
      if (harness.platform.name === "memory") return;
      for (const mode of [0o604, 0o640, 0o602, 0o620, 0o666]) {
        await process.writeFile(path, chunks(3), mode);
        await assert.rejects(read(), { name: "DiskError", code: "EMODE" }, mode.toString(8));
      }
      assert.equal(await process.readTextFile(path), "aaa", "what is no secret may be read by all");
      for (const other of [
        "/dev/zero",
        "/dev/null",
        harness.platform.disk(path).root.replace(/[^/]*$/, ""),
      ])
        await assert.rejects(process.readTextFile(other, SECRET_FILE), { code: "ENOTFILE" }, other);
    },
  );

  check("a data directory that others may write to is refused", async (harness) => {
    if (harness.platform.name === "memory") return;
    const root = await harness.newRoot();
    await harness.platform.disk(root).makeDir("");
    for (const mode of [0o755, 0o750, 0o700]) {
      await chmod(root, mode);
      await harness.platform.disk(root).list("");
    }
    for (const mode of [0o777, 0o770, 0o702, 0o1777]) {
      await chmod(root, mode);
      const listed = harness.platform.disk(root).list("");
      await assert.rejects(listed, { name: "DiskError", code: "EMODE" }, mode.toString(8));
    }
    await chmod(root, 0o700);
  });

  check("a name that does not exist is not found", async ({ platform }) => {
    const unknown = platform.dns.resolve("no-such-host.invalid", "A");
    await assert.rejects(unknown, { name: "NetError" });
  });
}

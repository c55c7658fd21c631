import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, fromHex, MalformedBytes, toHex } from "../../../src/base/bytes.ts";
import {
  decodeSemiSyncAck,
  encodeSemiSyncAck,
  readSemiSyncHeader,
} from "../../../src/mysql/semi-sync.ts";

test("an ACK is ef, a 64-bit position and the file", () => {
  const ack = { position: 760, file: "binlog.000002" };
  assert.equal(toHex(encodeSemiSyncAck(ack)), "eff80200000000000062696e6c6f672e303030303032");
  assert.deepEqual(decodeSemiSyncAck(encodeSemiSyncAck(ack)), ack);
  const far = { position: 5 * 2 ** 32 + 7, file: "b.1" };
  assert.deepEqual(decodeSemiSyncAck(encodeSemiSyncAck(far)), far);
  assert.deepEqual(decodeSemiSyncAck(fromHex("ef01000000000000006100")), {
    position: 1,
    file: "a",
  });
});

test("bad ACKs are malformed", () => {
  for (const hex of [
    "",
    "ee0100000000000000 61",
    "ef01",
    "ef0100000000000000",
    `ef0100000000000000${"61".repeat(600)}`,
    "efffffffffffffffff61",
  ]) {
    assert.throws(() => decodeSemiSyncAck(fromHex(hex.replaceAll(" ", ""))), MalformedBytes, hex);
  }
});

test("the header says whether an ACK is wanted", () => {
  assert.equal(readSemiSyncHeader(new ByteReader(fromHex("ef01"))), true);
  assert.equal(readSemiSyncHeader(new ByteReader(fromHex("ef00"))), false);
  assert.throws(() => readSemiSyncHeader(new ByteReader(fromHex("0001"))), MalformedBytes);
  assert.throws(() => readSemiSyncHeader(new ByteReader(fromHex("ef"))), MalformedBytes);
});

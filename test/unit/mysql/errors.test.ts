import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeText } from "../../../src/base/bytes.ts";
import * as errors from "../../../src/mysql/errors.ts";

const place: errors.DumpPlace = {
  startFile: "",
  startPosition: 4,
  file: "binlog.000034",
  lastEventEnd: 460,
  lastByteEnd: 460,
};

test("texts of a real 9.7 server", () => {
  assert.equal(
    errors.anonymousInGtidDump(381, place).message,
    "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file ./binlog.000034, position 381.; the first event '' at 4, the last event read from './binlog.000034' at 460, the last byte read from './binlog.000034' at 460.",
  );
  assert.equal(
    errors.accessDenied("nobody", "localhost", true).message,
    "Access denied for user 'nobody'@'localhost' (using password: YES)",
  );
  assert.equal(errors.unknownVariable("x").errno, 1193);
  assert.ok(errors.syntaxError("$$").message.endsWith("near '$$' at line 1"));
});

test("more GTIDs is cut where the server cuts it", () => {
  const { message, errno } = errors.moreGtids();
  assert.equal(errno, 1236);
  assert.equal(message.length, 511);
  assert.ok(message.endsWith("not included in GTID_EXECU"));
});

test("purged names both sets while they fit, else where to look", () => {
  const uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  const short = errors.purgedGtids(`${uuid}:1-3`, `${uuid}:4-9`).message;
  assert.ok(short.endsWith(`'${uuid}:1-3', and the missing transactions are '${uuid}:4-9'`));
  const long = errors.purgedGtids(`${uuid}:1`.repeat(20), `${uuid}:4-9`).message;
  assert.ok(long.endsWith("the manual for GTID_SUBTRACT"));
});

test("a cut never splits a character", () => {
  const cut = errors.cutMessage(`x${"é".repeat(400)}`);
  assert.equal(encodeText(cut).length, 511);
  const other = errors.cutMessage("é".repeat(400));
  assert.equal(encodeText(other).length, 510);
  assert.ok(!other.includes("�"));
});

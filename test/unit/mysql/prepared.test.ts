import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, MalformedBytes, toHex } from "../../../src/base/bytes.ts";
import { CLIENT_QUERY_ATTRIBUTES } from "../../../src/mysql/capabilities.ts";
import { type Bound, decodeBinding, encodeBinaryRow } from "../../../src/mysql/prepared.ts";
import {
  bigIntColumn,
  intColumn,
  TYPE_DATETIME,
  textColumn,
} from "../../../src/mysql/result-set.ts";

function bind(hex: string, count: number, options: { known?: number[]; named?: boolean } = {}) {
  const capabilities = options.named ? CLIENT_QUERY_ATTRIBUTES : 0;
  return decodeBinding(fromHex(hex), 8, count, options.known ?? [], () => null, capabilities);
}

const shown = (values: readonly Bound[]): string[] =>
  values.map((value) => (value.kind === "null" ? "null" : `${value.kind} ${value.value}`));

test("bound values of all types", () => {
  const cases: [hex: string, want: string][] = [
    ["00010100ff", "int -1"],
    ["00010180ff", "int 255"],
    ["000102008000", "int 128"],
    ["00010300ffffffff", "int -1"],
    ["00010380ffffffff", "int 4294967295"],
    ["00010880ffffffffffffffff", "int 18446744073709551615"],
    ["00010400000000bf", "double -0.5"],
    ["00010500000000000000f83f", "double 1.5"],
    ["00010600", "null"],
    ["0101fd00", "null"],
    ["0001fd00036162c3", "text ab\ufffd"],
    ["00010c0007ea070b1c0c1e05", "text 2026-11-28 12:30:05"],
    ["00010c000bea070b1c0c1e0501000000", "text 2026-11-28 12:30:05.000001"],
    ["00010a0004ea070b1c", "text 2026-11-28"],
    ["00010a0000", "text 0000-00-00"],
    ["00010b00080101000000020304", "text -26:03:04"],
    ["00010b0000", "text 00:00:00"],
  ];
  for (const [hex, want] of cases) assert.deepEqual(shown(bind(hex, 1).values), [want], hex);
});

test("types are remembered, names and attributes are passed over", () => {
  assert.deepEqual(shown(bind("00000700000000000000", 1, { known: [8] }).values), ["int 7"]);
  assert.throws(() => bind("0000" + "0700000000000000", 1), MalformedBytes);
  // One parameter and one attribute with a name.
  const named = bind("02" + "00" + "01" + "080000" + "fe000161" + "0700000000000000" + "0162", 1, {
    named: true,
  });
  assert.deepEqual(shown(named.values), ["int 7"]);
  assert.deepEqual(named.types, [8]);
  assert.throws(() => bind("fdffffff", 1, { named: true }), MalformedBytes);
});

test("binary rows", () => {
  const time = { ...textColumn("t"), type: TYPE_DATETIME };
  const columns = [bigIntColumn("a"), intColumn("b"), textColumn("c"), time, textColumn("d")];
  const row = ["-1", "4294967295", "xy", "2026-11-28 12:30:05", null];
  assert.equal(
    toHex(encodeBinaryRow(row, columns)),
    "00" + "40" + "ffffffffffffffff" + "ffffffff" + "027879" + "07ea070b1c0c1e05",
  );
});

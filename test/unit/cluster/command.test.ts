import assert from "node:assert/strict";
import { test } from "node:test";
import { BinraftError } from "../../../src/base/errors.ts";
import { encodePacked } from "../../../src/base/packed.ts";
import { type Command, decodeCommand, encodeCommand } from "../../../src/cluster/command.ts";

const SOURCE = {
  host: "db",
  port: 3306,
  user: "repl",
  passwordRef: "env:PASSWORD",
  tls: "verify-identity",
  tlsCa: null,
  tlsCert: null,
  tlsKey: null,
  publicKeyFile: null,
  semiSync: true,
  serverId: 4000,
  nativePassword: false,
  keepConnection: true,
  region: null,
} as const;
const ANNOUNCED = {
  diskUuid: "5".repeat(32),
  name: "n1",
  region: "",
  peer: "10.0.0.1:4306",
  mysql: "10.0.0.1:3307",
  admin: "",
  version: "1",
  formatVersion: 2,
};

const COMMANDS: readonly Command[] = [
  { type: "start", purged: "" },
  { type: "accept-gap", gtids: "aaaaaaaa-0000-0000-0000-000000000001:1-5" },
  { type: "accept-unproved" },
  { type: "new-timeline" },
  { type: "purge", firstKept: "binlog.000002" },
  { type: "set-source", source: SOURCE },
  { type: "set-syncer", wanted: "stopped", because: "why", met: "c".repeat(32) },
  { type: "set-account", name: "repl", account: { sha2: "ab".repeat(32), native: null } },
  { type: "remove-account", name: "repl" },
  { type: "announce", id: 2, announcement: ANNOUNCED },
  { type: "set-server", id: 2, wanted: "stopped" },
  { type: "set-retention", retention: { bytes: null, hours: 24 } },
  { type: "set-placement", placement: { mode: "auto", voters: 3, leaderRegion: "iad" } },
  { type: "set-timing", heartbeatMs: 150.5 },
  { type: "set-source-values", values: { binlog_row_image: "MINIMAL", sql_mode: "" } },
  { type: "set-format", version: 2 },
];

for (const command of COMMANDS) {
  test(`command: "${command.type}" comes back as it was, and with any other value it is none`, () => {
    assert.deepEqual(decodeCommand(encodeCommand(command)), command);
    for (const key of Object.keys(command)) {
      // Without values there is nothing to tell.
      if (key === "type" || key === "values") continue;
      for (const odd of [null, -1, Number.MAX_SAFE_INTEGER, "\0", {}, [], "x".repeat(100_000)]) {
        const value = { ...command, [key]: odd } as unknown as Command;
        // The purge of a file that is not there is a purge.
        if (command.type === "remove-account" && typeof odd === "string" && odd.length < 64)
          continue;
        assert.equal(decodeCommand(encodeCommand(value)), null, `${key}: ${JSON.stringify(odd)}`);
      }
    }
  });
}

test("command: source values of any names are kept, within bounds", () => {
  const kept = (values: Record<string, string>): boolean =>
    decodeCommand(encodeCommand({ type: "set-source-values", values })) !== null;
  assert.ok(kept({}));
  assert.ok(kept({ of_a_newer_version: "x".repeat(1024) }));
  for (const odd of [null, [], "x", 7, { a: 1 }, { a: null }])
    assert.ok(!kept(odd as unknown as Record<string, string>), JSON.stringify(odd));
  assert.ok(!kept({ too_long: "x".repeat(1025) }));
  assert.ok(!kept({ with_lines: "a\nb" }));
  assert.ok(!kept({ "no name": "" }));
  const many = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`v${i}`, ""]));
  assert.ok(kept(many(64)));
  assert.ok(!kept(many(65)));
});

test("command: what a newer version may have written stops this one, other bytes are nothing", () => {
  assert.throws(() => decodeCommand(Uint8Array.of(2, 1, 0x7b, 0x7d)), BinraftError);
  assert.throws(
    () => decodeCommand(Uint8Array.of(2, 2, ...encodePacked({ type: "new" }))),
    BinraftError,
  );
  for (const value of [null, [], "x", {}, { type: 7 }, { type: null }])
    assert.equal(decodeCommand(Uint8Array.of(2, 2, ...encodePacked(value))), null);
  assert.equal(decodeCommand(Uint8Array.of(2, 2)), null);
  assert.equal(decodeCommand(Uint8Array.of(2, 2, 0xc1)), null);
});

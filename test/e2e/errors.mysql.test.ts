/**
 * What cannot pass is refused with the very error that a 9.7 source gives: both are asked the same,
 * by the same client, and their error packets are compared.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { everyday, SCHEMA } from "../../demo/workload.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { ByteWriter } from "../../src/base/bytes.ts";
import { encodeGtidSet } from "../../src/gtid/binary.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { connect } from "../../src/mysql/client.ts";
import { encodeDump, encodeDumpGtid } from "../../src/mysql/commands.ts";
import { decodeErr } from "../../src/mysql/response.ts";
import { createSourceUser, LocalNode, SOURCE_USER, sourceSettings } from "../support/local-node.ts";

let source: MysqlServer;
let node: LocalNode;
let uuid: string;
const NON_BLOCK = 1;
const platform = nodePlatform();

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  await source.exec(SCHEMA);
  await source.exec(everyday(1));
  await source.exec("FLUSH BINARY LOGS");
  await source.exec(everyday(2));
  await source.exec("FLUSH BINARY LOGS");
  await source.exec(everyday(3));
  uuid = await source.value("SELECT @@server_uuid");
  node = await LocalNode.start({ source: sourceSettings(source) });
  await node.caughtUp(source);
  await source.exec("PURGE BINARY LOGS TO 'binlog.000002'");
  await node.node.purge("binlog.000002", false);
});

after(async () => {
  await node?.stop();
  await source?.remove();
});

interface Answer {
  readonly errno: number;
  readonly sqlState: string;
  readonly message: string;
}

/** The error that ends a dump, or null when it ends without one. */
async function ask(
  at: { port: number; user: string; password: string },
  command: Uint8Array,
): Promise<Answer | null> {
  const client = await connect(
    { host: "127.0.0.1", ...at, tls: { mode: "disabled" }, fetchPublicKey: true },
    platform,
  ).catch(() => connectOverTls(at));
  try {
    await client.execute(
      "SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'",
    );
    client.connection.writeCommand(command);
    for (;;) {
      const packet = await client.connection.readPacket();
      if (packet[0] === 0xfe && packet.length < 9) return null;
      if (packet[0] !== 0xff) continue;
      const { errno, sqlState, message } = decodeErr(packet);
      return { errno, sqlState, message };
    }
  } finally {
    client.connection.destroy();
  }
}

async function connectOverTls(at: { port: number; user: string; password: string }) {
  const { testCertificate } = await import("../support/local-node.ts");
  const ca = (await testCertificate()).cert;
  return connect({ host: "127.0.0.1", ...at, tls: { mode: "verify-ca", ca } }, platform);
}

async function same(command: Uint8Array): Promise<Answer | null> {
  const theirs = await ask({ port: source.port, ...SOURCE_USER }, command);
  const ours = await ask(node.endpoint, command);
  assert.deepEqual(ours, theirs);
  return theirs;
}

const byGtid = (text: string): Uint8Array =>
  encodeDumpGtid({
    flags: NON_BLOCK,
    serverId: 0,
    file: "",
    position: 4n,
    gtids: encodeGtidSet(GtidSet.parse(text), "auto"),
  });
const byFile = (file: string, position: number): Uint8Array =>
  encodeDump({ flags: NON_BLOCK, serverId: 0, file, position });

test("Purged GTIDs", async () => {
  assert.match((await same(byGtid("")))!.message, /purged required binary logs/);
  assert.match((await same(byGtid(`${uuid}:1`)))!.message, /purged required binary logs/);
});

test("More GTIDs than the source has, of its own uuid", async () => {
  assert.match((await same(byGtid(`${uuid}:1-100000`)))!.message, /more GTIDs than the source/);
});

test("Extra GTIDs of other servers are accepted", async () => {
  const all = (await source.value("SELECT @@GLOBAL.gtid_executed")).replaceAll("\n", "");
  assert.equal(await same(byGtid(`${all},aaaaaaaa-0000-0000-0000-000000000001:1-7`)), null);
});

test("An unknown and a purged file", async () => {
  assert.match((await same(byFile("binlog.009999", 4)))!.message, /Could not find first log file/);
  assert.match((await same(byFile("binlog.000001", 4)))!.message, /Could not find first log file/);
});

test("Positions below 4 and beyond the file", async () => {
  for (const position of [0, 1, 3])
    assert.match((await same(byFile("binlog.000002", position)))!.message, /position < 4/);
  assert.match((await same(byFile("binlog.000002", 4_000_000)))!.message, /position > file size/);
  assert.equal(await same(byFile("binlog.000002", 4)), null);
});

test("Malformed packets and sets", async () => {
  const set = encodeGtidSet(GtidSet.parse(`${uuid}:1-5`), "auto");
  const dump = (gtids: Uint8Array, size = gtids.length): Uint8Array =>
    new ByteWriter()
      .u8(0x1e)
      .u16(NON_BLOCK)
      .u32(0)
      .u32(0)
      .u64(4)
      .u32(size)
      .raw(gtids)
      .finish()
      .slice();
  const reversed = set.slice();
  reversed.set(set.subarray(40, 48), 32);
  const zero = set.slice();
  zero.fill(0, 32, 40);
  assert.equal((await same(dump(zero)))!.errno, 1773);
  assert.equal((await same(dump(set.subarray(0, 30))))!.errno, 1773);
  assert.equal((await same(dump(set, 5000)))!.errno, 1835);
  assert.equal((await same(Uint8Array.of(0x1e, 0, 0)))!.errno, 1835);
  assert.ok(await same(dump(reversed)));
});

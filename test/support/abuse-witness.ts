/**
 * The process that tells how honest clients fare beside an attack: `abuse-witness.ts delays|works TARGET`.
 *
 *   delays   follows each node as a replica does: how long after its commit at the source a transaction came
 *   works    logs in, asks the admin API and links to each node, again and again, each on a new connection
 *
 * It ends when its standard input does. A line of its output is a JSON array of `Seen`.
 */
import http from "node:http";
import { EventType } from "../../src/binlog/event.ts";
import { decodeGtidEvent } from "../../src/binlog/gtid-event.ts";
import { encodeGtidSet } from "../../src/gtid/binary.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { encodeDumpGtid, encodeRegister } from "../../src/mysql/commands.ts";
import { type AbuseNode, type AbuseTarget, Scene } from "./abuse-attack.ts";
import { Stranger, strangerHello } from "./stranger.ts";

export interface Seen {
  readonly what: "delay" | "login" | "admin" | "link";
  readonly node: string;
  /** On the wall: when it had come. */
  readonly atMs: number;
  readonly ms: number;
  /** Why it did not come about. */
  readonly error?: string;
}

const OWN = "127.0.0.1";
const TOLD_MS = 250;
const PAUSE_MS = 500;
const DEADLINE_MS = 10_000;
const AGAIN_MS = 200;
const CHECKSUM_BYTES = 4;

const [what = "", given = "{}"] = process.argv.slice(2);
const target = JSON.parse(given) as AbuseTarget;
const scene = new Scene(target, new AbortController().signal);
let seen: Seen[] = [];

function note(one: Seen): void {
  seen.push(one);
}

/** Until the stream ends, which it does not without a reason. */
async function follow(node: AbuseNode, at: number): Promise<void> {
  const { connection, ...client } = await scene
    .logIn(node, OWN, target.account)
    .then((made) => ({ connection: made.connection, execute: (sql: string) => made.execute(sql) }));
  const uuid = `00000000-0000-4000-8000-0000000feed${at}`;
  await client.execute("SET @master_binlog_checksum = 'CRC32', @source_binlog_checksum = 'CRC32'");
  await client.execute(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`);
  const serverId = 799_000 + at;
  connection.writeCommand(encodeRegister({ serverId, host: "", user: "", port: 0 }));
  await connection.readPacket();
  const gtids = encodeGtidSet(GtidSet.parse(target.executed), "auto");
  connection.writeCommand(encodeDumpGtid({ flags: 4, serverId, file: "", position: 4n, gtids }));
  for (;;) {
    const packet = await connection.readPacket();
    if (packet[0] !== 0) throw new Error(`a dump was answered with ${packet[0]}`);
    const type = packet[5];
    if (type !== EventType.GTID && type !== EventType.GTID_TAGGED) continue;
    const { originalCommitMicros } = decodeGtidEvent(packet, 1, packet.length - CHECKSUM_BYTES);
    const atMs = Date.now();
    note({ what: "delay", node: node.name, atMs, ms: atMs - originalCommitMicros / 1000 });
  }
}

async function followAlways(node: AbuseNode, at: number): Promise<never> {
  for (;;) {
    await follow(node, at).catch((error: Error) => {
      note({ what: "delay", node: node.name, atMs: Date.now(), ms: 0, error: error.message });
    });
    await scene.sleep(AGAIN_MS);
  }
}

async function logIn(node: AbuseNode): Promise<void> {
  const client = await scene.logIn(node, OWN, target.account);
  await client.execute("SELECT @@server_uuid");
  client.close();
}

/** A client that is told to come again does. */
async function askAdmin(node: AbuseNode): Promise<void> {
  for (;;) {
    const status = await statusOf(node);
    if (status === 200) return;
    if (status !== 503) throw new Error(`status ${status}`);
    await scene.sleep(AGAIN_MS);
  }
}

function statusOf({ adminPort: port, token }: AbuseNode): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    http
      .get({ host: OWN, port, agent: false, path: "/v1/status", headers }, (response) => {
        response.resume();
        response.once("end", () => resolve(response.statusCode ?? 0));
        response.once("error", reject);
      })
      .once("error", reject);
  });
}

/** A node that has the secret and no cluster yet is greeted. */
async function link(node: AbuseNode): Promise<void> {
  const at = { host: OWN, port: node.peerPort };
  const stranger = await Stranger.come(scene.platform, at, target.secret, strangerHello());
  while (!stranger.isGreeted && !stranger.isClosed) await scene.sleep(5);
  const { isGreeted } = stranger;
  stranger.leave();
  if (!isGreeted) throw new Error("closed before the greeting");
}

async function tryAlways(
  kind: Seen["what"],
  node: AbuseNode,
  one: (node: AbuseNode) => Promise<void>,
): Promise<never> {
  for (;;) {
    const began = performance.now();
    const late = scene.sleep(DEADLINE_MS).then(() => Promise.reject(new Error("not in 10 s")));
    late.catch(() => {});
    const error = await Promise.race([one(node), late]).then(
      () => null,
      (failure: Error) => failure.message,
    );
    const ms = performance.now() - began;
    note({
      what: kind,
      node: node.name,
      atMs: Date.now(),
      ms,
      ...(error === null ? {} : { error }),
    });
    await scene.sleep(PAUSE_MS);
  }
}

process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
setInterval(() => {
  if (seen.length > 0) process.stdout.write(`${JSON.stringify(seen)}\n`);
  seen = [];
}, TOLD_MS);
for (const [at, node] of target.nodes.entries()) {
  if (what === "delays") void followAlways(node, at);
  else {
    void tryAlways("login", node, logIn);
    void tryAlways("admin", node, askAdmin);
    void tryAlways("link", node, link);
  }
}

/** Attacks of somebody with an account that may log in, or guesses at one: what he sends on the MySQL port. */
import { randomBytes } from "node:crypto";
import { deflateSync } from "node:zlib";
import { encodeText } from "../../src/base/bytes.ts";
import { encodeDumpGtid, encodeQuery } from "../../src/mysql/commands.ts";
import { type Attack, address, type Scene } from "./abuse-attack.ts";

const UUID = "11111111-2222-3333-4444-555555555555";
/** A command may have 64 KiB. */
const MOST_TEXT = 64_000;
const ACCEPT_MS = 3_000;

/** Single numbers with gaps, from `first` on, as many as fit. */
function intervals(first: number, length: number): string {
  let text = UUID;
  for (let n = first; text.length < length - 8; n += 2) text += `:${n}`;
  return text;
}

const HALF = MOST_TEXT / 2 - 100;
/** Each near the limit of a packet. */
const HEAVY: readonly string[] = [
  `SELECT GTID_SUBTRACT('${intervals(1, HALF)}','${intervals(2, HALF)}')`,
  `SELECT GTID_SUBSET('${intervals(1, HALF)}','${intervals(1, HALF)}')`,
  `SELECT ${Array.from(
    { length: 40 },
    (_, i) => `GTID_SUBTRACT(CONCAT(@big,':${900_001 + i * 2}'),@big)`,
  ).join(",")}`,
  `SELECT ${Array.from({ length: 60 }, () => "GTID_SUBTRACT(@big,@@gtid_executed)").join(",")}`,
  `SELECT ${Array.from({ length: 200 }, () => "@big LIKE '%:9%:8%:7%:6%x'").join(",")}`,
  `SELECT ${"GTID_SUBSET(UPPER(LOWER(".repeat(30)}@big${")),@big)".repeat(30)}`,
];
const SET_BIG = `SET @big = '${intervals(1, MOST_TEXT)}'`;

/** Twelve commands in one write; then gone, or there until all is answered. */
async function heavy(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const client = await scene.logIn(node, address(i % 16));
  await client.query(SET_BIG).catch(() => scene.count("variable refused"));
  const { connection, capabilities } = client;
  for (let n = 0; n < 12; n++)
    connection.writeCommand(encodeQuery(HEAVY[(i + n) % HEAVY.length]!, capabilities));
  if (i % 2 === 0) await scene.sleep(50);
  else await Promise.race([connection.readPacket(), scene.sleep(ACCEPT_MS)]);
  connection.destroy();
}

async function longWait(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const client = await scene.logIn(node, address(i % 16), undefined, { queryTimeoutMs: 600_000 });
  const wait = `SELECT WAIT_FOR_EXECUTED_GTID_SET('${intervals(1, MOST_TEXT - 60)}', 30)`;
  await Promise.race([client.query(wait), scene.until()]);
  client.connection.destroy();
}

/** A set of so many intervals, 16 bytes each, as dumps carry it. */
function largeSet(count: number): Uint8Array {
  const bytes = Buffer.alloc(8 + 16 + 8 + 16 * count);
  bytes.writeBigUInt64LE(1n, 0);
  bytes.fill(0x11, 8, 24);
  bytes.writeBigUInt64LE(BigInt(count), 24);
  for (let i = 0; i < count; i++) {
    bytes.writeBigUInt64LE(BigInt(1 + 2 * i), 32 + 16 * i);
    bytes.writeBigUInt64LE(BigInt(2 + 2 * i), 40 + 16 * i);
  }
  return bytes;
}

function dumpOf(gtids: Uint8Array, serverId: number): Uint8Array {
  return encodeDumpGtid({ flags: 4, serverId, file: "", position: 4n, gtids });
}

/** The dump of a large set: the one command that may be long. */
async function largeDump(scene: Scene, i: number, dump: Uint8Array): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const client = await scene.logIn(node, address(i % 16));
  client.connection.writeCommand(dump);
  await Promise.race([client.connection.readPacket(), scene.sleep(ACCEPT_MS)]);
  client.connection.destroy();
}

/** A frame of the compressed protocol that says what it unpacks to. */
function frame(body: Uint8Array, size: number, sequence: number): Buffer {
  const head = Buffer.alloc(7);
  head.writeUIntLE(body.length, 0, 3);
  head.writeUInt8(sequence & 0xff, 3);
  head.writeUIntLE(size, 4, 3);
  return Buffer.concat([head, body]);
}

const MOST_FRAME = 0xffffff;

/** Of 16 KiB each that unpack to 16 MiB: a dump that never comes to its end. */
async function bomb(scene: Scene, i: number, body: Uint8Array): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const from = address(i % 16);
  // The raw socket beneath is needed: a frame of ours says its true size.
  let socket: Awaited<ReturnType<Scene["open"]>> | null = null;
  const opened: Scene["open"] = async (port, where) => {
    socket = await scene.open(port, where);
    return socket;
  };
  const own = Object.create(scene, { open: { value: opened } }) as Scene;
  const client = await own.logIn(node, from, undefined, { compression: "zlib" });
  for (let n = 0; n < 12 && !socket!.destroyed; n++) socket!.write(frame(body, MOST_FRAME, n));
  await Promise.race([client.connection.closed, scene.sleep(ACCEPT_MS)]);
  client.connection.destroy();
}

/** Statements with text and long data until it is refused, and then more. */
async function prepare(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const client = await scene.logIn(node, address(i % 16));
  const { connection } = client;
  for (let n = 0; n < 400 && !scene.stop.aborted; n++) {
    connection.writeCommand(encodeText(`\u0016SELECT ?, '${"x".repeat(60_000)}'`));
    const answer = await connection.readPacket();
    if (answer[0] === 0xff) {
      scene.count(`refused with ${answer[1]! + 256 * answer[2]!}`);
      break;
    }
    // The definitions: one parameter and two columns.
    for (let more = 0; more < 3; more++) await connection.readPacket();
    const id = answer.subarray(1, 5);
    connection.writeCommand(
      Buffer.concat([Buffer.of(0x18), id, Buffer.of(0, 0), randomBytes(50_000)]),
    );
  }
  await scene.sleep(2_000);
  connection.destroy();
}

/** Asks for long answers and reads none. */
async function unread(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const client = await scene.logIn(node, address(i % 16));
  const { connection, capabilities } = client;
  await client.query(SET_BIG).catch(() => scene.count("variable refused"));
  const sql = `SELECT ${Array.from({ length: 100 }, () => "@big").join(",")}`;
  for (let n = 0; n < 200; n++) connection.writeCommand(encodeQuery(sql, capabilities));
  await Promise.race([connection.closed, scene.until()]);
}

/** Every number that a command may have, with bytes that mean nothing behind it. */
async function odd(scene: Scene, i: number): Promise<void> {
  const node = scene.nodes[i % scene.nodes.length]!;
  const client = await scene.logIn(node, address(i % 16));
  const code = (i * 7 + Math.floor(Math.random() * 256)) & 0xff;
  const { connection } = client;
  connection.writeCommand(Buffer.concat([Buffer.of(code), randomBytes(i % 60)]));
  const answer = connection.readPacket();
  const isAnswered = await Promise.race([
    answer.then(() => true),
    scene.sleep(300).then(() => false),
  ]);
  connection.writeCommand(dumpOf(Buffer.alloc(40, 0xff), 4711));
  const next = isAnswered ? connection.readPacket() : answer;
  next.catch(() => {});
  await Promise.race([next, scene.sleep(300)]);
  connection.destroy();
}

const large = largeSet(800_000);

export const STATEMENTS: readonly Attack[] = [
  {
    name: "heavy-queries",
    says: "24 clients of one account: twelve GTID functions over texts of 64 KiB in one write; half leave at once",
    covers: "4",
    run: (scene) => scene.crowd(24, 100, (i) => heavy(scene, i)),
  },
  {
    name: "long-waits",
    says: "36 WAIT_FOR_EXECUTED_GTID_SET of as many intervals as fit into a command",
    covers: "5",
    run: (scene) => scene.crowd(36, 100, (i) => longWait(scene, i)),
  },
  {
    name: "large-sets",
    says: "12 dumps of sets of 800,000 intervals, again and again",
    covers: "5",
    run: (scene) => {
      const dump = dumpOf(large, 4712);
      return scene.crowd(12, 200, (i) => largeDump(scene, i, dump));
    },
  },
  {
    name: "zlib-bombs",
    says: "12 clients of the compressed protocol: frames of 16 KiB that unpack to 16 MiB each",
    covers: "6",
    run: (scene) => {
      const command = dumpOf(new Uint8Array(MOST_FRAME - 4 - 31), 4713);
      const packet = Buffer.concat([Buffer.from([0xfb, 0xff, 0xff, 0]), command]).subarray(
        0,
        MOST_FRAME,
      );
      const body = deflateSync(packet);
      return scene.crowd(12, 200, (i) => bomb(scene, i, body));
    },
  },
  {
    name: "prepared",
    says: "12 clients that prepare statements of 60 KB beyond the cap, with long data for each",
    covers: "5, held: bounds of an account",
    run: (scene) => scene.crowd(12, 200, (i) => prepare(scene, i)),
  },
  {
    name: "unread-answers",
    says: "12 clients that ask for 200 answers of 6 MB and read none",
    covers: "5",
    run: (scene) => scene.crowd(12, 200, (i) => unread(scene, i)),
  },
  {
    name: "odd-commands",
    says: "12 clients with commands of any number, COM_CHANGE_USER among them, and GTID counts of 2^64",
    covers: "held: unknown commands, COM_CHANGE_USER, malformed GTID counts and positions",
    run: (scene) => scene.crowd(12, 50, (i) => odd(scene, i)),
  },
  {
    name: "guesses",
    says: "60 clients that guess passwords, of users that exist and that do not, from one address and from 20",
    covers: "13, held: guessing",
    run: (scene) =>
      scene.crowd(60, 50, async (i) => {
        const user = [scene.target.account.user, scene.target.guest.user, "root", `user${i}`][
          i % 4
        ]!;
        const node = scene.nodes[i % scene.nodes.length]!;
        const from = i % 3 === 0 ? "127.0.0.77" : address(i % 20);
        const client = await scene.logIn(node, from, { user, password: `guess ${i}` });
        scene.count("LET IN");
        client.connection.destroy();
      }),
  },
];

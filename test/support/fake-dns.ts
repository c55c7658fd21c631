/**
 * A name server for tests: answers A, AAAA and TXT from a table that the test changes, and remembers
 * what it is asked. Names that it does not know do not exist. What is too large for the asker's UDP is
 * cut, and given over TCP.
 *
 *   header   id, flags, counts of questions, answers, authorities, additionals   6 × 16 bits
 *   question name (length and bytes of each label, 0), type 16, class 16
 *   answer   c0 0c (the name of the question), type 16, class 16, ttl 32, length 16, data
 *   OPT      0, type 41, size of the asker's UDP 16, …: an additional record of the question
 *
 * Over TCP each message has its length before it, 16 bits.
 */
import dgram from "node:dgram";
import net from "node:net";

const TYPES: Readonly<Record<number, "A" | "AAAA" | "TXT">> = { 1: "A", 28: "AAAA", 16: "TXT" };
const HEADER_BYTES = 12;
const AUTHORITATIVE = 0x8400;
const TRUNCATED = 0x0200;
const NO_SUCH_NAME = 3;
const OPT = 41;
const PLAIN_UDP_BYTES = 512;
const LENGTH_BYTES = 2;
const CLASS_IN = 1;

export interface FakeRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly TXT?: readonly string[];
}

export class FakeDns {
  readonly records: Map<string, FakeRecords> = new Map();
  /** "AAAA name", in the order of the questions. */
  readonly asked: string[] = [];
  /** Takes questions and answers none. */
  silent = false;
  readonly #socket: dgram.Socket;
  readonly #server: net.Server;

  private constructor(socket: dgram.Socket, server: net.Server) {
    this.#socket = socket;
    this.#server = server;
    socket.on("message", (query, from) => {
      const answer = this.#answer(query, true);
      if (!this.silent) socket.send(answer, from.port, from.address);
    });
    server.on("connection", (client) => {
      client.on("error", () => {});
      client.on("data", (bytes) => {
        // The questions are small: each comes as one piece.
        const answer = this.#answer(bytes.subarray(LENGTH_BYTES), false);
        const length = Buffer.alloc(LENGTH_BYTES);
        length.writeUInt16BE(answer.length);
        client.end(Buffer.concat([length, answer]));
      });
    });
  }

  /** The same port for both. */
  static async start(): Promise<FakeDns> {
    const server = net.createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as net.AddressInfo;
    const socket = dgram.createSocket("udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, "127.0.0.1", resolve);
    });
    return new FakeDns(socket, server);
  }

  /** As FLY_NAMESERVER takes it. */
  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(query: Buffer, overUdp: boolean): Buffer {
    const labels: string[] = [];
    let at = HEADER_BYTES;
    for (let length = query[at++]!; length > 0; length = query[at++]!) {
      labels.push(query.subarray(at, at + length).toString("latin1"));
      at += length;
    }
    const name = labels.join(".").toLowerCase();
    const type = query.readUInt16BE(at);
    const kind = TYPES[type];
    this.asked.push(`${kind ?? type} ${name}`);
    const known = this.records.get(name);
    const data = kind === undefined ? [] : (known?.[kind] ?? []).map(BYTES_OF[kind]);
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(AUTHORITATIVE | (known === undefined ? NO_SUCH_NAME : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(data.length, 6);
    const question = query.subarray(HEADER_BYTES, at + 4);
    const records = data.map((bytes) => record(type, bytes));
    const answer = Buffer.concat([header, question, ...records]);
    if (!overUdp || answer.length <= udpBytes(query, at + 4)) return answer;
    header.writeUInt16BE(AUTHORITATIVE | TRUNCATED, 2);
    header.writeUInt16BE(0, 6);
    return Buffer.concat([header, question]);
  }
}

/** What the asker takes; `at` is behind the question. */
function udpBytes(query: Buffer, at: number): number {
  const hasOpt = query.length >= at + 5 && query[at] === 0 && query.readUInt16BE(at + 1) === OPT;
  return hasOpt ? query.readUInt16BE(at + 3) : PLAIN_UDP_BYTES;
}

function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(CLASS_IN, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function ipv4Bytes(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

/** "::ffff:127.0.1.2", or eight groups written out. */
function ipv6Bytes(address: string): Buffer {
  const mapped = /^::ffff:(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  if (mapped !== null)
    return Buffer.from([...new Uint8Array(10), 0xff, 0xff, ...mapped.slice(1).map(Number)]);
  const groups = address.split(":").map((group) => Number.parseInt(group, 16));
  if (groups.length !== 8 || groups.some(Number.isNaN)) throw new Error(`No address: ${address}`);
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** In pieces of 255 bytes at most, as long texts come. */
function textBytes(text: string): Buffer {
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length || parts.length === 0; at += 255) {
    const piece = bytes.subarray(at, at + 255);
    parts.push(Buffer.from([piece.length]), piece);
  }
  return Buffer.concat(parts);
}

const BYTES_OF = { A: ipv4Bytes, AAAA: ipv6Bytes, TXT: textBytes } as const;

/** A name server on a free UDP port that knows what it is told, in DNS's own format (RFC 1035). */
import { createSocket } from "node:dgram";

export type RecordType = "A" | "AAAA" | "TXT";
/** Of a name: for A and AAAA the bytes of addresses, for TXT the strings of records. */
export type Zone = Readonly<
  Record<
    string,
    Partial<Record<RecordType, readonly (readonly (number[] | string)[])[]>> | "silent"
  >
>;

export interface NameServer {
  /** "127.0.0.1:port" */
  readonly address: string;
  /** Names that were asked for, with the type. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

const HEADER_BYTES = 12;
const TYPES: Readonly<Record<number, RecordType>> = { 1: "A", 16: "TXT", 28: "AAAA" };
const NAME_ERROR = 3;
const TTL_S = 60;

export async function startNameServer(zone: Zone): Promise<NameServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  socket.on("message", (query, { address, port }) => {
    const { name, type, end } = readQuestion(query);
    asked.push(`${name} ${type}`);
    const known = zone[name.toLowerCase()];
    if (known === "silent") return;
    const records = (type === undefined ? undefined : known?.[type]) ?? [];
    const question = query.subarray(HEADER_BYTES, end);
    const header = Buffer.alloc(HEADER_BYTES);
    query.copy(header, 0, 0, 2);
    // An answer, of one who may say so; recursion was asked for and is there.
    header.writeUInt16BE(0x8580 | (known === undefined ? NAME_ERROR : 0), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    const answers = records.map((parts) => answerOf(query.readUInt16BE(end - 4), parts));
    socket.send(Buffer.concat([header, question, ...answers]), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function readQuestion(query: Buffer): {
  name: string;
  type: RecordType | undefined;
  end: number;
} {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: TYPES[query.readUInt16BE(at + 1)], end: at + 5 };
}

/** A record of the question's name. TXT is made of strings with their length; an address of its bytes. */
function answerOf(type: number, parts: readonly (number[] | string)[]): Buffer {
  const data = Buffer.concat(
    parts.map((part) =>
      typeof part === "string"
        ? Buffer.concat([Buffer.of(part.length), Buffer.from(part, "latin1")])
        : Buffer.from(part),
    ),
  );
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc000 | HEADER_BYTES, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(TTL_S, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

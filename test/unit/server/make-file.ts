/** Binlog files made for a test: real descriptions, small transactions of any number and size. */
import { ByteWriter, concatBytes } from "../../../src/base/bytes.ts";
import type { Crc } from "../../../src/binlog/control-events.ts";
import { buildEvent, EventType, FILE_MAGIC } from "../../../src/binlog/event.ts";
import { encodeGtidSet, uuidToBytes } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { eventsOf, fixture } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import { onTheWire } from "./memory-stream.ts";

export const SOURCE = "11111111-2222-3333-4444-555555555555";
const SERVER_ID = 1;

export interface MadeTransaction {
  readonly gno: number;
  readonly uuid?: string;
  /** Bytes of each of its rows events, and how many of them: one unless said. */
  readonly bytes?: number;
  readonly rows?: number;
  /** What the rows hold: other content under the same number. */
  readonly seed?: number;
  /** In its last event. */
  readonly xid?: number;
}

export interface MakeOptions {
  readonly checksum?: "NONE" | "CRC32";
  readonly created?: number;
  /** When the file was begun, in seconds. */
  readonly timestamp?: number;
  /** Whose description the file begins with; 9.7's unless said. */
  readonly writer?: "mysql56";
}

export class FileMaker {
  readonly events: Uint8Array[] = [];
  readonly #crc: Crc | null;
  size = 4;

  constructor(previous: string, options: MakeOptions = {}) {
    this.#crc = options.checksum === "NONE" ? null : nodeCrc32;
    const name = options.writer ?? (options.checksum === "NONE" ? "checksum-none" : "dml");
    const description = eventsOf(onTheWire(fixture(name)))[0]!.slice();
    const view = new DataView(description.buffer, description.byteOffset, description.length);
    view.setUint32(19 + 52, options.created ?? 0, true);
    if (options.timestamp !== undefined) view.setUint32(0, options.timestamp, true);
    const end = description.length - 4;
    view.setUint32(end, nodeCrc32(description.subarray(0, end)), true);
    this.#push(description);
    this.#add(EventType.PREVIOUS_GTIDS, encodeGtidSet(GtidSet.parse(previous), "auto"), 0x80);
  }

  #push(event: Uint8Array): void {
    this.events.push(event);
    this.size += event.length;
  }

  #add(type: number, body: Uint8Array, flags = 0, timestamp = 1000): void {
    const logPos = this.size + 19 + body.length + (this.#crc === null ? 0 : 4);
    const header = { timestamp, type, serverId: SERVER_ID, logPos, flags };
    this.#push(buildEvent(header, body, this.#crc));
  }

  transaction({
    gno,
    uuid = SOURCE,
    bytes = 40,
    rows: count = 1,
    seed = 0,
    xid = gno,
  }: MadeTransaction): this {
    const gtid = new ByteWriter(25).u8(0).raw(uuidToBytes(uuid)).u64(gno).finish();
    this.#add(EventType.GTID, gtid);
    this.#add(EventType.QUERY, new ByteWriter().zeros(14).text("BEGIN").finish());
    const rows = new Uint8Array(bytes);
    for (let i = 0; i < bytes; i++) rows[i] = (gno * 31 + seed + i) & 0xff;
    for (let i = 0; i < count; i++) this.#add(30, rows);
    this.#add(EventType.XID, new ByteWriter(8).u64(xid).finish());
    return this;
  }

  transactions(first: number, last: number, bytes?: number): this {
    for (let gno = first; gno <= last; gno++) {
      this.transaction(bytes === undefined ? { gno } : { gno, bytes });
    }
    return this;
  }

  rotate(next: string): this {
    this.#add(EventType.ROTATE, new ByteWriter().u64(4).text(next).finish());
    return this;
  }

  stop(): this {
    this.#add(EventType.STOP, new Uint8Array(0));
    return this;
  }

  /** Of the same events, to which others may be added. */
  copy(): FileMaker {
    const copy = new FileMaker("", this.#crc === null ? { checksum: "NONE" } : {});
    copy.events.splice(0, copy.events.length, ...this.events);
    copy.size = this.size;
    return copy;
  }

  get file(): Uint8Array {
    return concatBytes([FILE_MAGIC, ...this.events]);
  }
}

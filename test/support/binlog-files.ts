/** Binlog files of real servers (test/fixtures/binlog), and turning them into a source's stream. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fakeRotate } from "../../src/binlog/control-events.ts";
import { frameEvent } from "../../src/binlog/frames.ts";
import { nodeCrc32 } from "./crc.ts";

const FOLDER = path.join(import.meta.dirname, "../fixtures/binlog");

export function fixtureNames(): string[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith(".binlog"))
    .map((name) => name.replace(".binlog", ""));
}

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(path.join(FOLDER, `${name}.binlog`)));
}

/** The events of a file, as views. */
export function eventsOf(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const events: Uint8Array[] = [];
  for (let at = 4; at < file.length; ) {
    const size = view.getUint32(at + 9, true);
    events.push(file.subarray(at, at + size));
    at += size;
  }
  return events;
}

/** With the semi-sync header in each packet, as a source sends it to a semi-sync client. */
export function withSemiSync(event: Uint8Array, ack: boolean): Uint8Array {
  const out = new Uint8Array(event.length + 2);
  out.set([0xef, ack ? 1 : 0]);
  out.set(event, 2);
  return out;
}

/** What a source sends for a file: fake rotate, then every event. */
export function sourceStream(
  file: Uint8Array,
  name: string,
  options: { semiSync: boolean; checksum: boolean },
): Uint8Array {
  const parts: Uint8Array[] = [];
  let sequence = 1;
  const send = (event: Uint8Array): void => {
    const packet = frameEvent(options.semiSync ? withSemiSync(event, false) : event, sequence);
    parts.push(packet);
    sequence += Math.floor((event.length + 1) / 0xffffff) + 1;
  };
  send(fakeRotate(name, 4, 1, options.checksum ? nodeCrc32 : null));
  for (const event of eventsOf(file)) send(event);
  return Buffer.concat(parts);
}

/**
 * Damage to a 64 KiB segment, byte by byte: a changed byte is found, never served, and no
 * acknowledged entry is cut. Also every length that the file may be cut to.
 */
import assert from "node:assert/strict";
import { EntryDamaged, LogCorrupt } from "../../src/storage/storage.ts";
import { LogWorld, payload } from "../unit/storage/world-log.ts";

const SEGMENT_BYTES = 64 * 1024;

export interface FlipReport {
  readonly flips: number;
  readonly refused: number;
  readonly damaged: number;
  /** The byte was one that nothing depends on, or there was a second copy of it. */
  readonly harmless: number;
}

/** A full segment with entries of all sizes; returns what was stored and the segment's path. */
async function filled(): Promise<{ world: LogWorld; payloads: Uint8Array[]; path: string }> {
  const world = new LogWorld(11);
  await world.open({ segmentBytes: SEGMENT_BYTES });
  const payloads: Uint8Array[] = [];
  for (let i = 0; i < 40 && world.log!.segmentCount === 1; i++) {
    const data = payload(i, (i * 977) % 3000);
    payloads.push(data);
    await world.append([data], i);
  }
  await world.settle(world.log!.close());
  const [name] = world.disk.image.list("log").filter((file) => file.endsWith(".seg"));
  return { world, payloads, path: `log/${name}` };
}

/** `values`: one flip a byte, or all 255 other values of it. */
export async function flipSegment(
  values: "one flip" | "all values",
  say: (line: string) => void,
): Promise<FlipReport> {
  const { world, payloads, path } = await filled();
  const report = { flips: 0, refused: 0, damaged: 0, harmless: 0 };
  for (let offset = 0; offset < SEGMENT_BYTES; offset++) {
    for (let mask = 1; mask < 256; mask++) {
      if (values === "one flip" && mask !== 1 + (offset % 255)) continue;
      world.disk.faults.bitFlips = [{ path, offset, mask }];
      report.flips++;
      report[await judge(world, payloads, offset)]++;
    }
    if (values === "all values" && offset % 4096 === 0)
      say(`byte ${offset}: ${JSON.stringify(report)}`);
  }
  return report;
}

async function judge(
  world: LogWorld,
  payloads: readonly Uint8Array[],
  offset: number,
): Promise<"refused" | "damaged" | "harmless"> {
  try {
    await world.open({ segmentBytes: SEGMENT_BYTES });
  } catch (error) {
    const known = error instanceof LogCorrupt || (error as Error).name === "UnknownFormat";
    assert.ok(known, `byte ${offset}: ${error}`);
    return "refused";
  }
  const log = world.log!;
  assert.equal(log.lastIndex, payloads.length, `byte ${offset}: an acknowledged entry was cut`);
  let damaged = false;
  for (let index = 1; index <= payloads.length; index++) {
    try {
      const lease = await world.settle(log.read(index, 1));
      assert.deepEqual(
        lease.entries[0]!.data,
        payloads[index - 1],
        `byte ${offset}, entry ${index}`,
      );
      lease.release();
    } catch (error) {
      assert.ok(error instanceof EntryDamaged, `byte ${offset}: ${error}`);
      damaged = true;
    }
  }
  if (damaged) assert.ok(log.damage.length > 0, `byte ${offset}: damage is told`);
  await world.settle(log.close());
  return damaged ? "damaged" : "harmless";
}

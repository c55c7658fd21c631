/** A log with entries of all kinds in several segments, and what its disk holds: for tests of damage. */
import assert from "node:assert/strict";
import { FileImage } from "../../../runtime/memory/disk-image.ts";
import type { Entry } from "../../../src/raft/types.ts";
import type { DamagedRange } from "../../../src/storage/storage.ts";
import { LogWorld, payload } from "./world-log.ts";

export const SEGMENT: { readonly segmentBytes: number } = { segmentBytes: 16 * 1024 };

/** Entries of all kinds in several segments: small and large, with runs of zeros, in several terms. */
export async function filled(seed: number): Promise<LogWorld> {
  const world = new LogWorld(seed);
  const log = await world.open(SEGMENT);
  let index = 0;
  let term = 1;
  for (let batch = 0; batch < 14; batch++) {
    const entries: Entry[] = [];
    for (let i = 0; i <= batch % 3; i++) {
      if ((batch % 4 === 3 || batch === 9) && i === 0) term++;
      index++;
      const data = payload(index, [0, 40, 700, 3000, 1300][index % 5]!);
      entries.push({ index, term, type: index % 6 === 0 ? 1 : 0, data });
    }
    const vote = term % 2 === 0 ? 2 : 1;
    // The last one cuts off what is not committed, and writes it anew.
    const replaced = batch === 9 ? { truncateAfter: index - entries.length } : {};
    if (batch === 9) {
      const old = { ...entries[0]!, term: term - 1, data: payload(99, 900) };
      const hardState = { term, vote, commit: old.index - 1 };
      await world.settle(log.append({ hardState, entries: [old] }));
    }
    const commit = index - entries.length;
    const hardState = { term, vote, commit };
    await world.settle(log.append({ hardState, entries, ...replaced }));
  }
  assert.ok(log.segmentCount > 2);
  return world;
}

export function fileOf(world: LogWorld, path: string): FileImage {
  const file = world.disk.image.get(path);
  assert.ok(file instanceof FileImage);
  return file;
}

export function segmentPaths(world: LogWorld): string[] {
  const names = world.disk.image.list("log").filter((name) => name.endsWith(".seg"));
  return names.sort().map((name) => `log/${name}`);
}

export function bytesOf(world: LogWorld, path: string): Uint8Array {
  const { visible } = fileOf(world, path);
  const bytes = new Uint8Array(visible.size);
  visible.read(0, bytes);
  return bytes;
}

/** What the disk has there is changed, for good. */
export function damage(world: LogWorld, path: string, at: number, bytes: Uint8Array): void {
  const file = fileOf(world, path);
  file.visible.write(at, bytes);
  file.durable.write(at, bytes);
}

export function snapshot(world: LogWorld): Map<string, Uint8Array> {
  return new Map(segmentPaths(world).map((path) => [path, bytesOf(world, path)]));
}

export function restore(world: LogWorld, images: ReadonlyMap<string, Uint8Array>): void {
  for (const [path, bytes] of images) damage(world, path, 0, bytes);
}

/** Opens, and finds all damage that there is; null when the log is refused. */
export async function openAndLook(world: LogWorld): Promise<readonly DamagedRange[] | null> {
  try {
    await world.open(SEGMENT);
  } catch {
    return null;
  }
  const log = world.log!;
  for (let index = log.firstIndex; index <= log.lastIndex; index++) {
    const lease = await world.settle(log.read(index, 1)).catch(() => null);
    lease?.release();
  }
  return log.damage.slice();
}

export function slice(entries: readonly Entry[], range: DamagedRange): Entry[] {
  return entries.filter(({ index }) => index >= range.fromIndex && index <= range.toIndex);
}

export async function areEqual(
  world: LogWorld,
  entries: readonly Entry[],
  what: string,
): Promise<void> {
  assert.deepEqual(await world.readAll(), entries, what);
  for (const { index, term } of entries) assert.equal(world.log!.term(index), term, what);
  for (const { index, type } of entries)
    assert.equal(world.log!.hasConfChange(index, index + 1), type === 1, `${what}, ${index}`);
}

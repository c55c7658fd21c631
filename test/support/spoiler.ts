/** Spoils bytes in the data directory of a stopped node, at places and in ways that a seed says. */
import { open, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { NodeProcess } from "../../demo/node-process.ts";
import type { SeededRandom } from "../../runtime/memory/random.ts";

const SEGMENT_HEADER_BYTES = 8192;
const SECTOR_BYTES = 512;

/** One bit of any file, or a sector of the log. */
export type Damage = "bit" | "sector";

const PLACES = [
  "sealed",
  "active",
  "last batch",
  "segment header",
  "manifest",
  "node.state",
] as const;
export type Place = (typeof PLACES)[number];
const WEIGHTS: Readonly<Record<Place, number>> = {
  sealed: 10,
  active: 4,
  "last batch": 4,
  "segment header": 1,
  manifest: 1,
  "node.state": 1,
};

export interface Flip {
  readonly place: Place;
  readonly file: string;
  readonly offset: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

export class Spoiler {
  readonly #random: SeededRandom;
  readonly #damage: Damage;

  constructor(random: SeededRandom, damage: Damage) {
    this.#random = random;
    this.#damage = damage;
  }

  pick(): Place {
    if (this.#damage === "sector") return this.#random.below(3) === 0 ? "active" : "sealed";
    const total = PLACES.reduce((sum, place) => sum + WEIGHTS[place], 0);
    let at = this.#random.below(total);
    for (const place of PLACES) {
      at -= WEIGHTS[place];
      if (at < 0) return place;
    }
    return "sealed";
  }

  async flip(node: NodeProcess, place: Place): Promise<Flip> {
    const random = this.#random;
    const all = await readdir(path.join(node.dataDir, "log"));
    const segments = all.filter((name) => name.endsWith(".seg")).sort();
    const active = segments.at(-1)!;
    const sealed = segments.slice(0, -1);
    const names: Readonly<Record<Place, string>> = {
      sealed: `log/${sealed[random.below(sealed.length)] ?? active}`,
      active: `log/${active}`,
      "last batch": `log/${active}`,
      "segment header": `log/${segments[random.below(segments.length)]}`,
      manifest: `MANIFEST.${random.below(2)}`,
      "node.state": "node.state",
    };
    const file = path.join(node.dataDir, names[place]);
    const bytes = await readFile(file);
    const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const from =
      place === "sealed" || place === "active"
        ? SEGMENT_HEADER_BYTES
        : place === "last batch"
          ? Math.max(SEGMENT_HEADER_BYTES, used - 1024)
          : 0;
    const to = place === "segment header" ? SEGMENT_HEADER_BYTES : used;
    const offset = Math.min(from + random.below(Math.max(1, to - from)), bytes.length - 1);
    const flip =
      this.#damage === "bit"
        ? this.#bit(place, file, bytes, offset)
        : this.#sector(place, file, bytes, offset);
    await write(flip, flip.after);
    return flip;
  }

  #bit(place: Place, file: string, bytes: Uint8Array, offset: number): Flip {
    const before = bytes.slice(offset, offset + 1);
    const after = Uint8Array.of(before[0]! ^ (1 << this.#random.below(8)));
    return { place, file, offset, before, after };
  }

  #sector(place: Place, file: string, bytes: Uint8Array, at: number): Flip {
    const offset = at - (at % SECTOR_BYTES);
    const before = bytes.slice(offset, offset + SECTOR_BYTES);
    const after = before.map(() => this.#random.below(256));
    return { place, file, offset, before, after };
  }
}

export function describe(node: NodeProcess, { place, file, offset, before }: Flip): string {
  return `${node.name}, ${place}, ${before.length} bytes at ${offset} of ${path.basename(file)}`;
}

export async function write({ file, offset }: Flip, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.write(bytes, 0, bytes.length, offset);
  } finally {
    await handle.close();
  }
}

/** Unless the node has written something else there meanwhile. */
export async function putBack(flip: Flip): Promise<void> {
  const { file, offset, after } = flip;
  const bytes = await readFile(file).catch(() => null);
  const now = bytes?.subarray(offset, offset + after.length);
  if (now !== undefined && Buffer.compare(now, after) === 0) await write(flip, flip.before);
}

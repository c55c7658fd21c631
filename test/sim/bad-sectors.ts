/** Where a disk goes bad: sectors of segments in which something stands. */
import type { DiskImage, FileImage } from "../../runtime/memory/disk-image.ts";
import { SEGMENT_HEADER_BYTES } from "../../src/storage/format.ts";

export const SECTOR_BYTES = 512;
export const NOISE = 0xa5;

export interface BadPlace {
  readonly path: string;
  readonly file: FileImage;
  readonly at: number;
}

/** A sector that was written, in one of the segments; most of a young one is zeros. */
export function writtenSector(image: DiskImage, b: number): BadPlace | null {
  const segments = image
    .files()
    .filter(([path, file]) => path.endsWith(".seg") && file.visible.size > 0);
  const found = segments[b % Math.max(1, segments.length)];
  if (found === undefined) return null;
  const [path, file] = found;
  const sectors = Math.ceil(file.visible.size / SECTOR_BYTES);
  const first = (b >> 3) % sectors;
  const bytes = new Uint8Array(SECTOR_BYTES);
  for (let step = 0; step < sectors; step++) {
    const at = ((first + step * 17) % sectors) * SECTOR_BYTES;
    file.visible.read(at, bytes.fill(0));
    if (bytes.some((byte) => byte !== 0)) return { path, file, at };
  }
  return null;
}

/** Some sectors from there on have other bytes, as whole batches may; or the first batch of that segment. */
export function overwrite(
  image: DiskImage,
  { file, at }: BadPlace,
  b: number,
  fill: number = (b >> 4) % 2 === 0 ? 0 : NOISE,
): void {
  const sectors = 1 + ((b >> 6) % 4);
  const from = (b >> 9) % 3 === 0 ? SEGMENT_HEADER_BYTES : at;
  const most = Math.max(0, file.visible.size - from);
  const bytes = new Uint8Array(Math.min(most, sectors * SECTOR_BYTES));
  bytes.fill(fill);
  image.damage(file, from, bytes);
}

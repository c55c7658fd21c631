/** Lists of damaged ranges: entries that are whole again, or were cut off, are not among them. */
import type { DamagedRange } from "./storage.ts";

/** Takes the entries from `fromIndex` to `toIndex` out of all ranges. */
export function withoutDamage(damage: DamagedRange[], fromIndex: number, toIndex: number): void {
  const left = damage.flatMap((range) => [
    { ...range, toIndex: Math.min(range.toIndex, fromIndex - 1) },
    { ...range, fromIndex: Math.max(range.fromIndex, toIndex + 1) },
  ]);
  damage.splice(0, damage.length, ...left.filter((range) => range.fromIndex <= range.toIndex));
}

/** Entries beyond `index` were cut off: what was lost of them is missed by nobody. */
export function cutDamage(damage: DamagedRange[], index: number): void {
  if (damage.length > 0) withoutDamage(damage, index + 1, Number.MAX_SAFE_INTEGER);
}

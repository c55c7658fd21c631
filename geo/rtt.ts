/**
 * What a way takes before anybody has measured it: light in fibre goes there and back 100 km in a
 * millisecond, cables are about half as long again as the distance, and ends take a little.
 */
import { distanceKm, REGIONS } from "./regions.ts";

const ENDS_MS = 2;
const DETOUR = 1.5;
const KM_PER_MS = 100;
/** Inside a region. */
const NEAR_MS = 1;

/** There and back, milliseconds; null when one of two different regions is not known. */
export function estimateRttMs(from: string, to: string): number | null {
  if (from === to) return NEAR_MS;
  const [a, b] = [REGIONS.get(from), REGIONS.get(to)];
  if (a === undefined || b === undefined) return null;
  return ENDS_MS + (DETOUR * distanceKm(a, b)) / KM_PER_MS;
}

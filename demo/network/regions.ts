/** Three regions on one machine: how far their processes are from each other, as geography estimates it. */
import { estimateRttMs } from "../../geo/rtt.ts";
import type { Line } from "./peer-network.ts";

export const REGIONS = ["iad", "fra", "syd"] as const;
export const SOURCE_REGION = "iad";
/** The name under which nodes reach the source. */
export const SOURCE = "source";

const JITTER_SHARE = 0.02;
/** A gigabit a second: what one connection between machines may hope for. */
const BYTES_PER_MS = 125_000;

/** "fra-2" is in fra; the source is where it was put. */
export function regionOf(name: string): string {
  return name === SOURCE ? SOURCE_REGION : name.slice(0, name.indexOf("-"));
}

export function lineBetween(from: string, to: string): Line {
  const rttMs = estimateRttMs(regionOf(from), regionOf(to))!;
  return { rttMs, jitterShare: JITTER_SHARE, bytesPerMs: BYTES_PER_MS };
}

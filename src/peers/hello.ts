/** The first frame of each side, and the one that refuses it, as they are read. */
import { encodeText, MalformedBytes } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import { decodeJson } from "./frames.ts";
import type { Hello, MetCluster, Refusal } from "./protocol.ts";

export function refusalOf(body: Uint8Array): Refusal {
  const { code, message: text, cluster } = decodeJson(body) as Record<string, unknown>;
  const refusal = { code: String(code) as Refusal["code"], message: printable(String(text), 1024) };
  const met = metOf(cluster);
  return met === null ? refusal : { ...refusal, cluster: met };
}

function metOf(given: unknown): MetCluster | null {
  if (typeof given !== "object" || given === null) return null;
  const { clusterId, foundedMs } = given as Record<string, unknown>;
  if (typeof clusterId !== "string" || !CLUSTER_ID.test(clusterId)) return null;
  return { clusterId, foundedMs: isTime(foundedMs) ? foundedMs : null };
}

const CLUSTER_ID = /^[0-9a-f]{32}$/;

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const TEXTS = ["clusterId", "diskUuid", "name", "version", "nonce"] as const;
const NUMBERS = [
  "protocol",
  "raftId",
  "boots",
  "term",
  "vote",
  "lastTerm",
  "lastIndex",
  "heartbeatMs",
  "electionMs",
] as const;

/** Throws MalformedBytes. */
export function helloOf(body: Uint8Array): Hello {
  const given = decodeJson(body) as Record<string, unknown>;
  for (const key of TEXTS) {
    const value = given[key];
    if (typeof value !== "string" || encodeText(value).length > 256)
      throw new MalformedBytes(`hello.${key}`, 0);
  }
  for (const key of NUMBERS) {
    if (!Number.isSafeInteger(given[key]) || (given[key] as number) < 0)
      throw new MalformedBytes(`hello.${key}`, 0);
  }
  const { region, unpacks, foundedMs } = given;
  if (foundedMs !== null && !isTime(foundedMs)) throw new MalformedBytes("hello.foundedMs", 0);
  if (region !== undefined && (typeof region !== "string" || encodeText(region).length > 256))
    throw new MalformedBytes("hello.region", 0);
  if (unpacks !== undefined && !(Array.isArray(unpacks) && unpacks.length <= 16))
    throw new MalformedBytes("hello.unpacks", 0);
  return given as unknown as Hello;
}

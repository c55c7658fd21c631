/** The first frame of each side, and the one that refuses it, as they are read. */
import { encodeText, MalformedBytes } from "../base/bytes.ts";
import { printable } from "../base/logger.ts";
import { decodeJson } from "./frames.ts";
import type { Hello, Refusal } from "./protocol.ts";

export function refusalOf(body: Uint8Array): Refusal {
  const { code, message: text } = decodeJson(body) as Record<string, unknown>;
  return { code: String(code) as Refusal["code"], message: printable(String(text), 1024) };
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
  const { region, unpacks } = given;
  if (region !== undefined && (typeof region !== "string" || encodeText(region).length > 256))
    throw new MalformedBytes("hello.region", 0);
  if (unpacks !== undefined && !(Array.isArray(unpacks) && unpacks.length <= 16))
    throw new MalformedBytes("hello.unpacks", 0);
  return given as unknown as Hello;
}

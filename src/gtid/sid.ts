/**
 * Sids: whose transactions a GTID counts. A sid is a server's uuid, since MySQL 8.3 followed by an
 * optional tag: "3e11fa47-…" or "3e11fa47-…:tag" (manual, "GTID Format and Storage").
 *
 * In binraft a sid is a lower-case string, so that it can be a Map key, and so that plain string
 * order is MySQL's order: by the uuid's bytes, then the untagged one, then by tag.
 */
import { ByteReader, fromHex, MalformedBytes, toHex } from "../base/bytes.ts";

export const UUID_BYTES = 16;
export const UUID_TEXT_LENGTH = 36;
export const TAG_MAX_LENGTH = 32;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;

/** True for a uuid in the form that binraft keeps: lower case, with dashes. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** True for "uuid" and "uuid:tag" in canonical form. */
export function isSid(text: string): boolean {
  if (text.length === UUID_TEXT_LENGTH) return isUuid(text);
  if (text.charCodeAt(UUID_TEXT_LENGTH) !== 0x3a) return false;
  return isUuid(text.slice(0, UUID_TEXT_LENGTH)) && isTag(text.slice(UUID_TEXT_LENGTH + 1));
}

export function makeSid(uuid: string, tag: string): string {
  return tag === "" ? uuid : `${uuid}:${tag}`;
}

export function sidUuid(sid: string): string {
  return sid.slice(0, UUID_TEXT_LENGTH);
}

/** The tag, or the empty string. */
export function sidTag(sid: string): string {
  return sid.slice(UUID_TEXT_LENGTH + 1);
}

/** A uuid as people write it (any case, dashes optional as a whole, braces), or null. */
export function normalizeUuid(text: string): string | null {
  let body = text.toLowerCase();
  if (body.startsWith("{") && body.endsWith("}")) body = body.slice(1, -1);
  if (body.length === 32 && /^[0-9a-f]{32}$/.test(body)) body = dashed(body);
  return isUuid(body) ? body : null;
}

export function uuidToBytes(uuid: string): Uint8Array {
  if (!isUuid(uuid)) throw new MalformedBytes("not a uuid", 0);
  return fromHex(uuid.replaceAll("-", ""));
}

export function uuidFromBytes(bytes: Uint8Array, at = 0): string {
  const reader = new ByteReader(bytes, at);
  return dashed(toHex(reader.take(UUID_BYTES, "uuid")));
}

function dashed(hex: string): string {
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join("-");
}

/**
 * What counts as one address where clients are counted: an IPv4 address, or the /64 of an IPv6
 * address, since whoever has one address of a /64 usually has all of them. An IPv4 address that is
 * written as IPv6 ("::ffff:192.0.2.1") is the IPv4 address. A name stands for itself.
 */
import { printable } from "../base/logger.ts";

const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;
const GROUPS = 8;
const PREFIX_GROUPS = 4;

export function addressKey(host: string): string {
  if (!host.includes(":")) return host;
  const mapped = MAPPED.exec(host);
  if (mapped !== null) return mapped[1]!;
  const plain = host.replace(/%.*$/, "").toLowerCase();
  const [head = "", tail] = plain.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  if (back.at(-1)?.includes(".")) back.push("");
  const zeros = tail === undefined ? 0 : Math.max(0, GROUPS - front.length - back.length);
  const groups = [...front, ...Array.from({ length: zeros }, () => "0"), ...back];
  const prefix = groups.slice(0, PREFIX_GROUPS).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${prefix.join(":")}::/64`;
}

/** "host:port" or "[host]:port" without the port. */
export function hostOf(peer: string): string {
  const colon = peer.lastIndexOf(":");
  return printable(colon < 0 ? peer : peer.slice(0, colon).replace(/^\[|\]$/g, ""), 64);
}

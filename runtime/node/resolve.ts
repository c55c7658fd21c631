/**
 * Names that only one name server knows: with FLY_NAMESERVER set, those that end in `.internal` are
 * asked of that one, here and when connecting; all others as ever. Nothing is kept beyond a look-up: an
 * address on Fly's private network changes when its machine moves.
 */
import { Resolver } from "node:dns/promises";
import type { NetError } from "../../src/platform/net.ts";
import { netError } from "./errors.ts";

const TIMEOUT_MS = 2_000;
const TRIES = 2;

export type Ask = (name: string, kind: "A" | "AAAA" | "TXT") => Promise<string[]>;

/** Asks a resolver of the runtime. */
export function asker(servers?: readonly string[]): Ask {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  return async (name, kind) => {
    if (kind === "TXT") return (await resolver.resolveTxt(name)).map((parts) => parts.join(""));
    return kind === "A" ? resolver.resolve4(name) : resolver.resolve6(name);
  };
}

/** Null: that name is none of its. `server` is an address, perhaps with a port. */
export type Internal = (name: string) => Ask | null;

export function internalNames(server: string | undefined): Internal {
  if (!server) return () => null;
  const ask = asker([server]);
  return (name) => (/\.internal\.?$/i.test(name) ? ask : null);
}

/** Of one such name, IPv6 first; rejects with NetError when it has none. */
export async function addressesOf(ask: Ask, name: string): Promise<string[]> {
  try {
    return await ask(name, "AAAA");
  } catch (error) {
    const ipv4 = await ask(name, "A").catch(() => []);
    if (ipv4.length > 0) return ipv4;
    throw notResolved(error, name, "AAAA");
  }
}

export function notResolved(error: unknown, name: string, kind: string): NetError {
  return netError(error, `Cannot resolve ${name} (${kind})`);
}

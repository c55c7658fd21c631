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
/** Bytes of a string of a text record, at most. */
const FULL_STRING = 255;

export type Ask = (name: string, kind: "A" | "AAAA" | "TXT") => Promise<string[]>;

export interface ResolveOptions {
  /** "address:port" of the name servers; those of the system when absent. */
  readonly servers?: readonly string[];
  /** How long one answer may take. */
  readonly timeoutMs?: number;
  /** True on Bun only: the strings of one text record come as if each were a record. */
  readonly splitsTexts?: boolean;
}

/** Asks a resolver of the runtime. */
export function asker({ servers, timeoutMs = TIMEOUT_MS, splitsTexts }: ResolveOptions): Ask {
  const resolver = new Resolver({ timeout: timeoutMs, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  return async (name, kind) => {
    if (kind === "TXT") {
      const texts = (await resolver.resolveTxt(name)).map((parts) => parts.join(""));
      return splitsTexts === true ? wholeTexts(texts) : texts;
    }
    return kind === "A" ? resolver.resolve4(name) : resolver.resolve6(name);
  };
}

/** A string that is full goes on in the next one: nobody writes shorter ones but at the end. */
export function wholeTexts(strings: readonly string[]): string[] {
  const texts: string[] = [];
  let goesOn = false;
  for (const text of strings) {
    if (goesOn) texts.push(texts.pop() + text);
    else texts.push(text);
    goesOn = text.length === FULL_STRING;
  }
  return texts;
}

/** Null: that name is none of its. `server` is an address, perhaps with a port. */
export type Internal = (name: string) => Ask | null;

export function internalNames(server: string | undefined, options: ResolveOptions): Internal {
  if (!server) return () => null;
  const ask = asker({ ...options, servers: [server] });
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

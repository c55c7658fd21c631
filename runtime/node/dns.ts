/**
 * Name look-ups by the runtime's own resolver, which asks the name servers directly and leaves
 * the thread pool (shared with the files) alone. Names that only /etc/hosts knows are found by
 * a second look-up through the system.
 */
import { lookup, Resolver } from "node:dns/promises";
import type { Dns } from "../../src/platform/dns.ts";
import { netError } from "./errors.ts";

const TIMEOUT_MS = 2_000;
const TRIES = 2;
const LONGEST_STRING = 255;

export interface DnsOptions {
  /** "address:port" of the name servers; those of the system when absent. */
  readonly servers?: readonly string[];
  /** How long one answer may take. */
  readonly timeoutMs?: number;
  /**
   * True on Bun only, which gives the strings of a TXT record as if each were a record. Those of 255
   * bytes, where a longer text is cut (RFC 1035, 3.3), are joined with what follows; others look the same
   * as records of their own.
   */
  readonly flatTexts?: boolean;
}

export function nodeDns(options: DnsOptions = {}): Dns {
  const { servers, timeoutMs = TIMEOUT_MS, flatTexts = false } = options;
  const resolver = new Resolver({ timeout: timeoutMs, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers);
  const ask = async (name: string, kind: "A" | "AAAA" | "TXT"): Promise<string[]> => {
    if (kind === "TXT") {
      const texts = (await resolver.resolveTxt(name)).map((parts) => parts.join(""));
      return flatTexts ? joinTexts(texts) : texts;
    }
    return kind === "A" ? resolver.resolve4(name) : resolver.resolve6(name);
  };
  return {
    async resolve(name, kind) {
      try {
        return await ask(name, kind);
      } catch (error) {
        const failed = netError(error, `Cannot resolve ${name} (${kind})`);
        if (kind === "TXT") throw failed;
        try {
          const found = await lookup(name, { all: true, family: kind === "A" ? 4 : 6 });
          return found.map(({ address }) => address);
        } catch {
          // What the name server said tells more than the system's summary.
          throw failed;
        }
      }
    },
  };
}

function joinTexts(strings: readonly string[]): string[] {
  const texts: string[] = [];
  let goesOn = false;
  for (const one of strings) {
    if (goesOn) texts[texts.length - 1] += one;
    else texts.push(one);
    goesOn = one.length === LONGEST_STRING;
  }
  return texts;
}

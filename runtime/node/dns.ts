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

export function nodeDns(): Dns {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  const ask = async (name: string, kind: "A" | "AAAA" | "TXT"): Promise<string[]> => {
    if (kind === "TXT") return (await resolver.resolveTxt(name)).map((parts) => parts.join(""));
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

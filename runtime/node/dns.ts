/**
 * Name look-ups by the runtime's own resolver, which asks the name servers directly and leaves
 * the thread pool (shared with the files) alone. Names that only /etc/hosts knows are found by
 * a second look-up through the system.
 */
import { lookup } from "node:dns/promises";
import type { Dns } from "../../src/platform/dns.ts";
import { asker, type Internal, notResolved, type ResolveOptions } from "./resolve.ts";

export function nodeDns(internal: Internal, options: ResolveOptions): Dns {
  const ask = asker(options);
  return {
    async resolve(name, kind) {
      const inside = internal(name);
      try {
        return await (inside ?? ask)(name, kind);
      } catch (error) {
        const failed = notResolved(error, name, kind);
        if (kind === "TXT" || inside !== null) throw failed;
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

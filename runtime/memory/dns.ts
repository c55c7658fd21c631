/** Names of the simulated world: machines by their name, and records that a test sets. */
import type { Dns } from "../../src/platform/dns.ts";
import { NetError } from "../../src/platform/net.ts";
import type { Life } from "./life.ts";

const LOOKUP_MS = 1;

export interface DnsRecords {
  readonly A?: readonly string[];
  readonly AAAA?: readonly string[];
  readonly TXT?: readonly string[];
}

/** `addressOf` gives a machine's own address, or null. */
export function memoryDns(
  life: Life,
  records: ReadonlyMap<string, DnsRecords>,
  addressOf: (name: string) => string | null,
): Dns {
  return {
    async resolve(name, kind) {
      await life.wait(LOOKUP_MS, `resolve ${name}`);
      const found = records.get(name)?.[kind];
      if (found !== undefined) return [...found];
      const own = kind === "A" ? addressOf(name) : null;
      if (own !== null) return [own];
      throw new NetError("ENOTFOUND", `Cannot resolve ${name} (${kind}): ENOTFOUND`);
    },
  };
}

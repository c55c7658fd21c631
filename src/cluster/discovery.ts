/**
 * Discovery: who else is there, and may this empty node form a cluster by itself? formation.ts asks
 * anew in each round, and is the only place where a cluster is formed.
 *
 *   static   the addresses of `cluster.join`
 *   dns      all addresses of one name
 *   fly      the machines of an app on Fly.io (geo/fly-discovery.ts)
 */
import type { Dns } from "../platform/dns.ts";
import { type Address, NetError } from "../platform/net.ts";

export interface Discovery {
  /** Rejects with NetError when it cannot be known: then nothing is formed without `--bootstrap`. */
  look(): Promise<Sighting>;
}

export interface Sighting {
  /** Where to ask, this node perhaps among them. All that exist, also those that do not run now. */
  readonly addresses: readonly Address[];
  /** Null: only `--bootstrap` and `bootstrap_expect` make clusters. */
  readonly founding: Founding | null;
}

/**
 * One of the nodes forms a cluster of one, which the others join. It does so only when all of
 * `addresses` answered in the same round that they are fresh, and that they take it for the founder,
 * too. So of two that each know of the other at most one forms a cluster: whoever looked last was told
 * by the other one that it waits for it, or that it has a cluster.
 */
export interface Founding {
  /** This node, by a name that is the same wherever it is said. */
  readonly self: string;
  /** Who is to form it, as this node sees it; "" while nobody may. */
  readonly founder: string;
  /** Why this node does not form it now; for the operator. */
  readonly reason: string;
}

export function staticDiscovery(addresses: readonly Address[]): Discovery {
  return { look: async () => ({ addresses, founding: null }) };
}

/** What is found, and fixed addresses before it. */
export function besides(addresses: readonly Address[], discovery: Discovery): Discovery {
  if (addresses.length === 0) return discovery;
  return {
    async look() {
      const found = await discovery.look();
      return { ...found, addresses: [...addresses, ...found.addresses] };
    },
  };
}

export function dnsDiscovery(dns: Dns, { host, port }: Address): Discovery {
  return {
    async look() {
      const answers = await Promise.all([ask(dns, host, "AAAA"), ask(dns, host, "A")]);
      const found = answers.flatMap((answer) => (answer instanceof NetError ? [] : answer));
      const [first] = answers;
      if (found.length === 0 && first instanceof NetError) throw first;
      return { addresses: found.map((one) => ({ host: one, port })), founding: null };
    },
  };
}

/** A name may have addresses of one kind only. */
async function ask(dns: Dns, name: string, kind: "A" | "AAAA"): Promise<string[] | NetError> {
  try {
    return await dns.resolve(name, kind);
  } catch (error) {
    if (error instanceof NetError) return error;
    throw error;
  }
}

/**
 * Discovery: who else is there? formation.ts asks anew in each round, and is the only place where a
 * cluster is formed; whoever is of a cluster goes on looking, for one of another (other-clusters.ts).
 *
 *   static   the addresses of `cluster.join`
 *   dns      all addresses of one name
 *   fly      the machines of an app on Fly.io (geo/fly-discovery.ts)
 */
import type { Dns } from "../platform/dns.ts";
import { type Address, NetError } from "../platform/net.ts";

export interface Discovery {
  /** Rejects with NetError when it cannot be known: then only `--bootstrap` forms a cluster. */
  look(): Promise<Sighting>;
}

export interface Sighting {
  /** Where to ask, this node perhaps among them. All that exist, also those that do not run now. */
  readonly addresses: readonly Address[];
  /**
   * Of a list that has all nodes there are: these are the others, and only as many as are told of in
   * `cluster.bootstrap_expect` form a cluster. Null: there may be more.
   */
  readonly all: WholeList | null;
}

export interface WholeList {
  /** Why the list cannot be right yet, for the operator; null: nothing speaks against it. */
  readonly doubt: string | null;
}

export function staticDiscovery(addresses: readonly Address[]): Discovery {
  return { look: async () => ({ addresses, all: null }) };
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
      return { addresses: found.map((one) => ({ host: one, port })), all: null };
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

/**
 * How the machines of an app on Fly.io find each other.
 *
 *   TXT all.vms.APP.internal   "ID REGION,ID REGION": all machines, stopped ones included
 *   TXT vms.APP.internal       the same of those that were started
 *   ID.vm.APP.internal         one machine's address
 *
 * The list is of all machines that exist: a cluster is formed only when it has as many as
 * `cluster.bootstrap_expect` says. It is in doubt while this machine is not on it, or while it is new: it
 * comes from gossip between Fly's hosts, and machines that are made at the same time may not know of each
 * other for a moment.
 *
 * Whoever has data does not ask where it belongs: its disk says which cluster it is of (formation.ts).
 */
import type { Discovery, Sighting } from "../src/cluster/discovery.ts";
import type { Clock } from "../src/platform/clock.ts";
import type { Dns } from "../src/platform/dns.ts";
import { NetError } from "../src/platform/net.ts";

/** A cluster is formed once in its life: this is not where to save time. */
const SETTLED_MS = 5_000;
const NOTHING: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);

export interface FlyOptions {
  readonly dns: Dns;
  readonly clock: Pick<Clock, "mono">;
  readonly app: string;
  /** This one's id. */
  readonly machine: string;
  /** Where a machine's peers are. */
  readonly port: number;
}

export interface FlyMachine {
  readonly id: string;
  readonly region: string;
}

export function machineHost(machine: string, app: string): string {
  return `${machine}.vm.${app}.internal`;
}

/** The id in a machine's host name; null of any other name. */
export function machineOf(host: string, app: string): string | null {
  const [id] = host.split(".");
  return id && host === machineHost(id, app) ? id : null;
}

/** By id. Throws NetError when there is something in it that is no machine: half a list is none. */
export function parseMachines(texts: readonly string[]): FlyMachine[] {
  const found = new Map<string, FlyMachine>();
  for (const item of texts.join(",").split(",")) {
    const text = item.trim();
    if (text === "") continue;
    const match = /^([a-z0-9-]{1,63})\s+([a-z0-9-]{1,63})$/.exec(text);
    if (match === null)
      throw new NetError("EBADRESP", `The list of machines has an entry that is none: "${text}"`);
    const [, id, region] = match;
    found.set(id!, { id: id!, region: region! });
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

export function flyDiscovery(options: FlyOptions): Discovery {
  const { dns, clock, app, machine, port } = options;
  let known = "";
  let sinceMs = 0;
  const list = async (name: string): Promise<string[]> => {
    try {
      return await dns.resolve(name, "TXT");
    } catch (error) {
      if (error instanceof NetError && NOTHING.has(error.code)) return [];
      throw error;
    }
  };
  return {
    async look(): Promise<Sighting> {
      const [all, started] = await Promise.all([
        list(`all.vms.${app}.internal`),
        list(`vms.${app}.internal`),
      ]);
      const machines = parseMachines([...all, ...started]);
      const text = machines.map(({ id, region }) => `${id} ${region}`).join();
      if (text !== known) {
        known = text;
        sinceMs = clock.mono();
      }
      const others = machines.filter(({ id }) => id !== machine);
      return {
        addresses: others.map(({ id }) => ({ host: machineHost(id, app), port })),
        all: { doubt: doubt(machine, machines, clock.mono() - sinceMs) },
      };
    },
  };
}

/** `ageMs`: how long the list has been the same. */
function doubt(own: string, machines: readonly FlyMachine[], ageMs: number): string | null {
  if (!machines.some(({ id }) => id === own))
    return "it joins or forms one once Fly's DNS has this machine on its list";
  if (ageMs < SETTLED_MS)
    return `it waits until Fly's list of machines has been the same for ${SETTLED_MS} ms`;
  return null;
}

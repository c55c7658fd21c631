/** The discovery that the configuration names. */
import { besides, type Discovery, dnsDiscovery, staticDiscovery } from "../cluster/discovery.ts";
import type { ClusterSection } from "../config/node-config.ts";
import type { Platform } from "../platform/platform.ts";
import type { Hosting } from "./hosting.ts";

export function discoveryOf(
  platform: Platform,
  cluster: ClusterSection,
  peerPort: number,
  hosting: Hosting | null,
): Discovery {
  const { discovery, discoveryName, join } = cluster;
  if (discovery === "dns") return besides(join, dnsDiscovery(platform.dns, discoveryName!));
  if (discovery === "fly") return besides(join, hosting!.discover(platform, peerPort));
  return staticDiscovery(join);
}

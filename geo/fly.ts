/**
 * Fly.io: what a machine's environment says of it, and its proxy's `fly-replay`. How machines find
 * each other: fly-discovery.ts.
 *
 *   FLY_APP_NAME, FLY_MACHINE_ID   both set: this is a machine of Fly.io
 *   FLY_REGION                     node.region
 *   PRIMARY_REGION                 of fly.toml's primary_region: where the source is
 *
 * A machine keeps its id over restarts and moves to another host; its address on the private network
 * (6PN, WireGuard between the machines of one organisation) it does not keep. So a machine is reached by
 * name, `ID.vm.APP.internal`, which is resolved at each connect and has IPv6 addresses only.
 */
import type { ReplayRule } from "../src/admin/replay.ts";
import type { Hosting } from "../src/cli/hosting.ts";
import type { Process } from "../src/platform/process.ts";
import { flyDiscovery, machineHost, machineOf } from "./fly-discovery.ts";

const REPLAY_TIMEOUT = "5s";

/** Null on a machine of anybody else. */
export function flyHosting(env: Process["env"]): Hosting | null {
  const app = env["FLY_APP_NAME"];
  const machine = env["FLY_MACHINE_ID"];
  if (!app || !machine) return null;
  const region = env["FLY_REGION"] || "";
  const primaryRegion = env["PRIMARY_REGION"] || null;
  const host = machineHost(machine, app);
  return {
    provider: "Fly.io",
    values: {
      "node.name": machine,
      ...(region === "" ? {} : { "node.region": region }),
      ...(primaryRegion === null ? {} : { "source.region": primaryRegion }),
      "listen.mysql": "[::]:3307",
      "listen.peer": "[::]:4306",
      "listen.admin": "[::]:8306",
      "cluster.discovery": "fly",
      "cluster.placement": "auto",
    },
    discovery: "fly",
    host,
    hostNames: [
      host,
      `${app}.internal`,
      ...(region === "" ? [] : [`${region}.${app}.internal`]),
      `${app}.flycast`,
      `${app}.fly.dev`,
    ],
    hasPrivateNetwork: true,
    secretCommand: (variable) => `fly secrets set ${variable}=…`,
    discover: (platform, port) =>
      flyDiscovery({ dns: platform.dns, clock: platform.clock, app, machine, port }),
    replay: replayRule(app),
  };
}

/** Of requests that Fly's proxy brought, and has not sent on yet. */
function replayRule(app: string): ReplayRule {
  return (request, peerAddress) => {
    const leader = machineOf(peerAddress.replace(/:[0-9]+$/, ""), app);
    const isProxied = request.has("fly-request-id") || request.has("fly-client-ip");
    const isReplayed = request.has("fly-replay-src") || request.has("fly-replay-failed");
    if (leader === null || !isProxied || isReplayed) return null;
    const value = `instance=${leader};timeout=${REPLAY_TIMEOUT};fallback=prefer_self`;
    return { name: "fly-replay", value };
  };
}

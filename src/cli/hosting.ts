/** What a node gets from the provider at which it runs (contract; for Fly.io: geo/fly.ts). */
import type { ReplayRule } from "../admin/replay.ts";
import type { Discovery } from "../cluster/discovery.ts";
import type { HostingSettings } from "../config/hosting.ts";
import type { Platform } from "../platform/platform.ts";
import type { Process } from "../platform/process.ts";

export interface Hosting extends HostingSettings {
  /** Of the machines that belong together; `port` is where their peers are. */
  discover(platform: Platform, port: number): Discovery;
  /** Of the proxy in front of the machines. */
  readonly replay: ReplayRule;
}

/** Null where the environment names no provider. */
export type FindHosting = (env: Process["env"]) => Hosting | null;

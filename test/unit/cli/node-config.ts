/** A configuration on a real folder. */

import { loadConfig } from "../../../src/config/load.ts";
import type { NodeConfig } from "../../../src/config/node-config.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { thisPlatform } from "../../support/this-platform.ts";

export const platform: Platform = await thisPlatform();

export async function configFor(
  dir: string,
  flags: Record<string, string> = {},
): Promise<NodeConfig> {
  const loaded = await loadConfig({
    process: { ...platform.process, env: {} },
    disk: platform.disk,
    flags: new Map(Object.entries({ "node.data_dir": dir, ...flags })),
    file: null,
    hosting: null,
  });
  return loaded.config;
}

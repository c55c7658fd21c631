/** The platform of the runtime that runs this. */
import { OWN_RUNTIME } from "../../demo/runtimes.ts";
import type { ResolveOptions } from "../../runtime/node/resolve.ts";
import type { Platform } from "../../src/platform/platform.ts";

export async function thisPlatform(dns: ResolveOptions = {}): Promise<Platform> {
  switch (OWN_RUNTIME) {
    case "node":
      return (await import("../../runtime/node/platform.ts")).nodePlatform({ dns });
    case "bun":
      return (await import("../../runtime/bun/platform.ts")).bunPlatform(dns);
    case "deno":
      return (await import("../../runtime/deno/platform.ts")).denoPlatform(dns);
  }
}

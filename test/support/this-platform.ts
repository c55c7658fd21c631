/** The platform of the runtime that runs this. */
import type { Platform } from "../../src/platform/platform.ts";

export const THIS_RUNTIME: "node" | "bun" | "deno" =
  process.versions["bun"] !== undefined
    ? "bun"
    : process.versions["deno"] !== undefined
      ? "deno"
      : "node";

export async function thisPlatform(): Promise<Platform> {
  switch (THIS_RUNTIME) {
    case "node":
      return (await import("../../runtime/node/platform.ts")).nodePlatform();
    case "bun":
      return (await import("../../runtime/bun/platform.ts")).bunPlatform();
    case "deno":
      return (await import("../../runtime/deno/platform.ts")).denoPlatform();
  }
}

/** The platform on Bun: all of Node's but the HTTP server, and what to know of its sockets and resolver. */
import type { Platform } from "../../src/platform/platform.ts";
import { nodePlatform } from "../node/platform.ts";
import type { ResolveOptions } from "../node/resolve.ts";
import { bunHttp } from "./http.ts";

export function bunPlatform(dns: ResolveOptions = {}): Platform {
  return nodePlatform({
    name: "bun",
    runtime: `bun ${process.versions["bun"]}`,
    http: bunHttp,
    joinsCorked: true,
    dns: { splitsTexts: true, ...dns },
  });
}

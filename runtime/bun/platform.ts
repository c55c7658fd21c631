/** The platform on Bun: all of Node's but the HTTP server, and text records put together again. */
import type { Platform } from "../../src/platform/platform.ts";
import { nodePlatform } from "../node/platform.ts";
import { bunHttp } from "./http.ts";

export function bunPlatform(): Platform {
  return nodePlatform({
    name: "bun",
    runtime: `bun ${process.versions["bun"]}`,
    http: bunHttp,
    splitsTexts: true,
  });
}

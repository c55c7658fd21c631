/** The platform on Bun: all of Node's but the HTTP server, and with one thing to know of its resolver (dns.ts). */
import type { Platform } from "../../src/platform/platform.ts";
import type { DnsOptions } from "../node/dns.ts";
import { nodePlatform } from "../node/platform.ts";
import { bunHttp } from "./http.ts";

export function bunPlatform(dns: DnsOptions = {}): Platform {
  return nodePlatform({
    name: "bun",
    runtime: `bun ${process.versions["bun"]}`,
    http: bunHttp,
    joinsCorked: true,
    dns: { flatTexts: true, ...dns },
  });
}

/** The platform on Deno: Node's, with Deno's HTTP server and TLS over a Duplex (conn.ts says why). */
import type { Platform } from "../../src/platform/platform.ts";
import { nodePlatform } from "../node/platform.ts";
import type { ResolveOptions } from "../node/resolve.ts";
import { denoHttp } from "./http.ts";

declare const Deno: { readonly version: { readonly deno: string } };

export function denoPlatform(dns: ResolveOptions = {}): Platform {
  return nodePlatform({
    name: "deno",
    runtime: `deno ${Deno.version.deno}`,
    http: denoHttp,
    wrapDuplex: true,
    dns,
  });
}

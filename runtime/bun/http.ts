/**
 * HTTP on Bun by Bun.serve. A response whose body fails midway ends its connection there, so that
 * it cannot look whole; answers that take longer than Bun's idle time-out are none of its business.
 */
import type { HttpHost, HttpServer } from "../../src/platform/http.ts";
import type { TlsServerOptions } from "../../src/platform/net.ts";
import { netError } from "../node/errors.ts";

/** Of Bun's own types, what is used here. */
interface BunServer {
  readonly port: number;
  stop(closeActiveConnections?: boolean): Promise<void>;
}
declare const Bun: { serve(options: object): BunServer };

export const bunHttp: HttpHost = {
  async serve(address, handler, tls): Promise<HttpServer> {
    const { host } = address;
    let server: BunServer;
    try {
      server = Bun.serve({
        hostname: host,
        port: address.port,
        idleTimeout: 0,
        fetch: handler,
        error: () => new Response(null, { status: 500 }),
        ...(tls === undefined ? {} : { tls: secureOptions(tls) }),
      });
    } catch (error) {
      throw netError(error, `Cannot serve HTTP on ${host}:${address.port}`);
    }
    let stopped: Promise<void> | null = null;
    return {
      address: { host, port: server.port },
      stop: (graceMs) => {
        stopped ??= stop(server, graceMs);
        return stopped;
      },
    };
  },
};

function secureOptions(tls: TlsServerOptions): object {
  const required = tls.clientCert === "require";
  return {
    cert: tls.cert,
    key: tls.key,
    requestCert: required,
    rejectUnauthorized: required,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  };
}

async function stop(server: BunServer, graceMs: number): Promise<void> {
  const cut = setTimeout(() => void server.stop(true), graceMs);
  await server.stop();
  clearTimeout(cut);
}

/**
 * HTTP on Bun by Bun.serve behind a front that bounds connections. A response whose body fails midway ends its
 * connection there, so that it cannot look whole; answers that take longer than Bun's idle time-out are none of
 * its business.
 */
import type { HttpHost, HttpServer } from "../../src/platform/http.ts";
import type { TlsServerOptions } from "../../src/platform/net.ts";
import { netError } from "../node/errors.ts";
import { httpFront } from "../node/http-front.ts";

/** Of Bun's own types, what is used here. */
interface BunServer {
  readonly port: number;
  stop(closeActiveConnections?: boolean): Promise<void>;
}
declare const Bun: { serve(options: object): BunServer };

export const bunHttp: HttpHost = {
  async serve(address, handler, tls): Promise<HttpServer> {
    let server: BunServer;
    try {
      server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        idleTimeout: 0,
        fetch: handler,
        error: () => new Response(null, { status: 500 }),
        ...(tls === undefined ? {} : { tls: secureOptions(tls) }),
      });
    } catch (error) {
      throw netError(error, `Cannot serve HTTP for ${address.host}:${address.port}`);
    }
    const inner: HttpServer = {
      address: { host: "127.0.0.1", port: server.port },
      stop: (graceMs) => stop(server, graceMs),
    };
    return httpFront(address, inner).catch(async (error) => {
      await inner.stop(0);
      throw error;
    });
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

/**
 * HTTP on Node by @hono/node-server. A graceful stop has to close kept-alive connections again
 * and again: Node closes those that are idle once, and one that was busy then stays open.
 */

import type { Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { HttpHost, HttpServer } from "../../src/platform/http.ts";
import type { Address, TlsServerOptions } from "../../src/platform/net.ts";
import { netError } from "./errors.ts";

const SWEEP_MS = 20;

export const nodeHttp: HttpHost = {
  serve(address, handler, tls): Promise<HttpServer> {
    const server = createAdaptorServer({
      fetch: handler,
      // The globals belong to the program that embeds us.
      overrideGlobalObjects: false,
      ...(tls === undefined
        ? {}
        : { createServer: createSecureServer, serverOptions: secureOptions(tls) }),
    }) as Server;
    return listen(server, address);
  },
};

function secureOptions(tls: TlsServerOptions): object {
  const required = tls.clientCert === "require";
  return {
    cert: tls.cert,
    key: tls.key,
    minVersion: tls.minVersion ?? "TLSv1.2",
    requestCert: required,
    rejectUnauthorized: required,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
  };
}

function listen(server: Server, address: Address): Promise<HttpServer> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(netError(error, `Cannot serve HTTP on ${address.host}:${address.port}`));
    });
    server.listen(address.port, address.host, () => {
      server.removeAllListeners("error");
      server.on("error", () => {});
      const { port } = server.address() as AddressInfo;
      let stopped: Promise<void> | null = null;
      resolve({
        address: { host: address.host, port },
        stop: (graceMs) => {
          stopped ??= stop(server, graceMs);
          return stopped;
        },
      });
    });
  });
}

function stop(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    server.close(() => {
      clearInterval(sweep);
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}

/** A Node server that listens, as the HTTP server of the platform contract. */
import type { AddressInfo, Server } from "node:net";
import type { HttpServer } from "../../src/platform/http.ts";
import type { Address } from "../../src/platform/net.ts";
import { netError } from "./errors.ts";

/** `stop` runs once, however often it is asked for. Rejects with NetError when it cannot listen. */
export function listenHttp(
  server: Server,
  address: Address,
  stop: (graceMs: number) => Promise<void>,
): Promise<HttpServer> {
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
          stopped ??= stop(graceMs);
          return stopped;
        },
      });
    });
  });
}

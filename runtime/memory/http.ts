/**
 * HTTP of the simulation: handlers by address, called directly with web-standard requests. No
 * bytes, so no faults of the network act on it; the admin interface is not what is simulated.
 */
import type { HttpHost } from "../../src/platform/http.ts";
import { NetError } from "../../src/platform/net.ts";
import type { Life } from "./life.ts";

interface Site {
  readonly life: Life;
  readonly handler: (request: Request) => Response | Promise<Response>;
  inFlight: number;
  onIdle: (() => void) | null;
}

const FIRST_FREE_PORT = 50_000;
const LATENCY_MS = 0.1;

export class MemoryHttp {
  readonly #sites = new Map<string, Site>();
  #nextPort = FIRST_FREE_PORT;

  hostOf(machine: string, life: Life): HttpHost {
    return {
      serve: async (address, handler) => {
        const port = address.port === 0 ? this.#nextPort++ : address.port;
        const key = `${machine}:${port}`;
        if (this.#sites.get(key)?.life.alive) {
          throw new NetError("EADDRINUSE", `Cannot serve HTTP on ${address.host}:${port}: in use`);
        }
        const site: Site = { life, handler, inFlight: 0, onIdle: null };
        this.#sites.set(key, site);
        return {
          address: { host: address.host, port },
          stop: (graceMs) => {
            if (this.#sites.get(key) === site) this.#sites.delete(key);
            if (site.inFlight === 0) return Promise.resolve();
            return new Promise((resolve) => {
              site.onIdle = resolve;
              life.after(graceMs, "http grace", resolve);
            });
          },
        };
      },
    };
  }

  /** A request from outside to a machine's server. */
  async fetch(machine: string, port: number, request: Request): Promise<Response> {
    const site = this.#sites.get(`${machine}:${port}`);
    if (!site?.life.alive) throw new NetError("ECONNREFUSED", `Nothing serves ${machine}:${port}`);
    site.inFlight++;
    try {
      await site.life.wait(LATENCY_MS, "http request");
      return await site.handler(request);
    } finally {
      site.inFlight--;
      if (site.inFlight === 0) site.onIdle?.();
    }
  }
}

import type { Address, TlsServerOptions } from "./net.ts";

/** The runtime's own HTTP server around a web-standard handler. */
export interface HttpHost {
  /**
   * Rejects with NetError EADDRINUSE, … Port 0 picks a free one. At most HTTP_LIMITS connections are
   * held: the oldest that has no request at work goes for a new one. One that does not send its whole
   * request head in time is cut.
   */
  serve(
    address: Address,
    handler: (request: Request) => Response | Promise<Response>,
    tls?: TlsServerOptions,
  ): Promise<HttpServer>;
}

/** The same on each runtime. An operator's tools need a few; a proxy in front has one address. */
export const HTTP_LIMITS = { places: 256, placesPerAddress: 128, headMs: 10_000 } as const;

export interface HttpServer {
  readonly address: Address;
  /** Stops accepting, waits up to `graceMs` for requests in flight, then cuts them. */
  stop(graceMs: number): Promise<void>;
}

import type { Address, TlsServerOptions } from "./net.ts";

/** The runtime's own HTTP server around a web-standard handler. */
export interface HttpHost {
  /** Rejects with NetError EADDRINUSE, … Port 0 picks a free one. */
  serve(
    address: Address,
    handler: (request: Request) => Response | Promise<Response>,
    tls?: TlsServerOptions,
  ): Promise<HttpServer>;
}

export interface HttpServer {
  readonly address: Address;
  /** Stops accepting, waits up to `graceMs` for requests in flight, then cuts them. */
  stop(graceMs: number): Promise<void>;
}

/**
 * HTTP on Deno by Deno.serve behind a front that bounds connections. It has no way to ask for a client's
 * certificate: who wants that is refused here rather than served without it. Nor does aborting it end what is
 * being answered: that is done here, request by request.
 */
import type { HttpHost, HttpServer } from "../../src/platform/http.ts";
import { NetError } from "../../src/platform/net.ts";
import { netError } from "../node/errors.ts";
import { httpFront } from "../node/http-front.ts";

/** Of Deno's own types, what is used here. */
interface DenoServer {
  readonly addr: { readonly port: number };
  shutdown(): Promise<void>;
}
declare const Deno: {
  serve(options: object, handler: (request: Request) => Response | Promise<Response>): DenoServer;
};

export const denoHttp: HttpHost = {
  async serve(address, handler, tls): Promise<HttpServer> {
    if (tls?.clientCert === "require") {
      throw new NetError("ENOTSUP", "Deno's HTTP server cannot require client certificates");
    }
    const abort = new AbortController();
    let server: DenoServer;
    try {
      server = Deno.serve(
        {
          hostname: "127.0.0.1",
          port: 0,
          onListen: () => {},
          onError: () => new Response(null, { status: 500 }),
          ...(tls === undefined ? {} : { cert: tls.cert, key: tls.key }),
        },
        (request) => cutBy(abort.signal, handler(request)),
      );
    } catch (error) {
      throw netError(error, `Cannot serve HTTP for ${address.host}:${address.port}`);
    }
    const inner: HttpServer = {
      address: { host: "127.0.0.1", port: server.addr.port },
      stop: (graceMs) => stop(server, abort, graceMs),
    };
    return httpFront(address, inner).catch(async (error) => {
      await inner.stop(0);
      throw error;
    });
  },
};

/** The answer, or a failure in its place or midway in its body once the signal is aborted. */
async function cutBy(signal: AbortSignal, answer: Response | Promise<Response>): Promise<Response> {
  let cut = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    cut = () => reject(new NetError("ECANCELED", "The HTTP server is stopping"));
  });
  signal.addEventListener("abort", cut, { once: true });
  try {
    const response = await Promise.race([answer, aborted]);
    const { body, status, statusText, headers } = response;
    if (body === null) return response;
    const cuttable = body.pipeThrough(new TransformStream(), { signal });
    return new Response(cuttable, { status, statusText, headers });
  } finally {
    signal.removeEventListener("abort", cut);
  }
}

async function stop(server: DenoServer, abort: AbortController, graceMs: number): Promise<void> {
  const cut = setTimeout(() => abort.abort(), graceMs);
  await server.shutdown();
  clearTimeout(cut);
}

/**
 * HTTP on Node by @hono/node-server. A graceful stop has to close kept-alive connections again
 * and again: Node closes those that are idle once, and one that was busy then stays open.
 */

import type { Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Admission } from "../../src/base/admission.ts";
import { HTTP_LIMITS, type HttpHost, type HttpServer } from "../../src/platform/http.ts";
import type { TlsServerOptions } from "../../src/platform/net.ts";
import { listenHttp } from "./http-listen.ts";
import { handlesAreShort } from "./spare-handles.ts";

const SWEEP_MS = 20;
/** Node's own, which are a minute and more. */
const DEADLINES = {
  headersTimeout: HTTP_LIMITS.headMs,
  requestTimeout: 30_000,
  handshakeTimeout: HTTP_LIMITS.headMs,
  connectionsCheckingInterval: 1_000,
};

export const nodeHttp: HttpHost = {
  serve(address, handler, tls): Promise<HttpServer> {
    const server = createAdaptorServer({
      fetch: async (request, { outgoing }) => cutWhenItFails(await handler(request), outgoing),
      // The globals belong to the program that embeds us.
      overrideGlobalObjects: false,
      ...(tls === undefined
        ? { serverOptions: DEADLINES }
        : {
            createServer: createSecureServer,
            serverOptions: { ...DEADLINES, ...secureOptions(tls) },
          }),
    }) as Server;
    admit(server);
    return listenHttp(server, address, (graceMs) => stop(server, graceMs));
  },
};

/** Bounds how many connections there are. A request and its connection are two sockets with TLS. */
function admit(server: Server): void {
  const admission = new Admission<string>(HTTP_LIMITS);
  const sockets = new Map<string, Socket>();
  server.on("connection", (socket: Socket) => {
    const guest = nameOf(socket);
    if (handlesAreShort()) {
      socket.destroy();
      return;
    }
    const { isAdmitted, evicted } = admission.enter(guest, socket.remoteAddress ?? "");
    if (evicted !== null) sockets.get(evicted)?.destroy();
    if (!isAdmitted) {
      socket.destroy();
      return;
    }
    sockets.set(guest, socket);
    socket.once("close", () => {
      sockets.delete(guest);
      admission.leave(guest);
    });
  });
  server.on("request", ({ socket }, response) => {
    const guest = nameOf(socket);
    admission.spoke(guest);
    response.once("close", () => admission.fellSilent(guest));
  });
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/**
 * @hono/node-server ends a body that fails with the error's text, so it can look whole to the client.
 * Here the connection is cut instead.
 */
function cutWhenItFails(
  response: Response,
  outgoing: { destroy(error: Error): unknown },
): Response {
  const { body, status, statusText, headers } = response;
  if (body === null) return response;
  const reader = body.getReader();
  const cut = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          outgoing.destroy(error as Error);
          controller.close();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return new Response(cut, { status, statusText, headers });
}

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

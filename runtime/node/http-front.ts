/**
 * What stands in front of an HTTP server that bounds its connections in no way of its own (Bun's, Deno's):
 * it takes the connections, holds them to HTTP_LIMITS and passes their bytes on to the server, which
 * listens on loopback. One that sends nothing costs the server nothing.
 *
 * Requests are not looked into, so that TLS goes through. A connection gives way by how long ago it was
 * last answered something.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import { Admission } from "../../src/base/admission.ts";
import { HTTP_LIMITS, type HttpServer } from "../../src/platform/http.ts";
import type { Address } from "../../src/platform/net.ts";
import { listenHttp } from "./http-listen.ts";
import { handlesAreShort } from "./spare-handles.ts";

/** Longer than any answer of the API takes to begin. */
const ANSWER_MS = 60_000;

/** In front of `inner`, which it stops. Rejects with NetError when it cannot listen. */
export function httpFront(address: Address, inner: HttpServer): Promise<HttpServer> {
  const admission = new Admission<Socket>(HTTP_LIMITS);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    client.on("error", () => {});
    if (handlesAreShort()) {
      client.destroy();
      return;
    }
    const { isAdmitted, evicted } = admission.enter(client, client.remoteAddress ?? "");
    evicted?.destroy();
    if (!isAdmitted) {
      client.destroy();
      return;
    }
    sockets.add(client);
    client.once("close", () => {
      sockets.delete(client);
      admission.leave(client);
    });
    pass(client, inner.address.port, () => {
      admission.spoke(client);
      admission.fellSilent(client);
    });
  });
  return listenHttp(server, address, (graceMs) => stop(server, inner, sockets, graceMs));
}

function pass(client: Socket, port: number, answered: () => void): void {
  const deadline = (timeoutMs: number): NodeJS.Timeout =>
    setTimeout(() => client.destroy(), timeoutMs);
  let timer = deadline(HTTP_LIMITS.headMs);
  client.once("close", () => clearTimeout(timer));
  client.once("data", (first) => {
    client.pause();
    clearTimeout(timer);
    timer = deadline(ANSWER_MS);
    const server = connect(port, "127.0.0.1");
    server.on("error", () => client.destroy());
    server.once("close", () => client.destroySoon());
    client.once("close", () => server.destroy());
    server.on("data", () => {
      clearTimeout(timer);
      answered();
    });
    server.write(first);
    client.pipe(server);
    server.pipe(client);
  });
}

/** What the server has answered by then still has to get through to its client. */
async function stop(
  server: Server,
  inner: HttpServer,
  sockets: ReadonlySet<Socket>,
  graceMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const cutAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  const cut = setTimeout(cutAll, graceMs);
  await inner.stop(graceMs);
  await closed;
  clearTimeout(cut);
}

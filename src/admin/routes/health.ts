/**
 * `/livez`: the process answers. `/readyz`: replicas can be served here. Both are open, since
 * load balancers have no token, and tell nothing but that. `/errors/{code}`: the catalogue. Of a
 * node that starts there is no more than this (app.ts).
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { catalogueEntry } from "../../base/errors.ts";
import type { NodeOperations } from "../../cluster/operations.ts";
import { ApiError } from "../problem.ts";

export function isOpenPath(path: string): boolean {
  return path === "/livez" || path === "/readyz" || /^\/errors\/BR[0-9]{4}$/.test(path);
}

export function liveRoutes(app: OpenAPIHono): void {
  app.get("/livez", (context) => context.text("ok\n"));

  app.get("/errors/:code", (context) => {
    const entry = catalogueEntry(context.req.param("code"));
    if (entry === undefined) throw new ApiError(404, "BR4007", "There is no such code");
    return context.json(entry);
  });
}

export function readyRoute(app: OpenAPIHono, node: NodeOperations): void {
  app.get("/readyz", (context) => {
    const why = node.notReady();
    const status = why === null ? 200 : 503;
    if (context.req.query("verbose") === undefined) {
      return context.text(why === null ? "ok\n" : `not ready: ${why}\n`, status);
    }
    const { syncer, server, storage } = node.status();
    const lines = [
      line(why === null, "node", why ?? "ok"),
      line(
        !storage.full && storage.damage.length === 0,
        "log",
        storage.full ? "the disk is full" : damage(storage.damage),
      ),
      line(server.listening, "server", server.listening ? "ok" : "not listening"),
      line(syncer.state === "RUNNING", "syncer", syncer.state),
    ];
    return context.text(`${lines.join("\n")}\n`, status);
  });
}

function line(good: boolean, part: string, text: string): string {
  return `[${good ? "+" : "-"}]${part} ${text}`;
}

function damage(ranges: readonly string[]): string {
  return ranges.length === 0 ? "ok" : `${ranges.length} damaged ranges`;
}

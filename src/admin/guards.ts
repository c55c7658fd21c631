/**
 * What every request must pass, in this order:
 *
 * 1. The Host header names this node. A web page can make a name of its own resolve to 127.0.0.1
 *    (DNS rebinding); then Host is that name. So this holds on loopback too, and on every route.
 * 2. No browser sends it for another site.
 * 3. The bearer token, but for the health routes and the error catalogue. There are no cookies, so
 *    a browser has nothing to send by itself.
 * 4. Writes are JSON by their content type: a form of another site cannot claim that.
 * 5. The body is small.
 *
 * Then there has to be a place for it (places.ts).
 */
import type { MiddlewareHandler } from "hono";
import { encodeText } from "../base/bytes.ts";
import type { Crypto } from "../platform/crypto.ts";
import { ApiError } from "./problem.ts";

export const MAX_BODY_BYTES: number = 64 * 1024;

/** `names` are the host names and addresses of this node, without ports. */
export function hostGuard(names: readonly string[]): MiddlewareHandler {
  const allowed = new Set(
    ["localhost", "127.0.0.1", "::1", ...names].map((name) => name.toLowerCase()),
  );
  const anyAddress = allowed.has("0.0.0.0") || allowed.has("::");
  return async (context, next) => {
    const host = hostName(context.req.header("host") ?? new URL(context.req.url).host);
    // An address cannot be rebound: where this node listens on all of them, any will do.
    if (!allowed.has(host) && !(anyAddress && isAddress(host))) {
      throw new ApiError(
        403,
        "BR4002",
        "The Host header is not one of this node",
        "use the address of listen.admin in the URL",
      );
    }
    await next();
  };
}

/** Without the port and brackets, lower case. */
function hostName(host: string): string {
  return host
    .toLowerCase()
    .replace(/:[0-9]*$/, "")
    .replace(/^\[|\]$/g, "");
}

function isAddress(host: string): boolean {
  return /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(host) || /^[0-9a-f:.]*:[0-9a-f:.]*$/.test(host);
}

export function siteGuard(): MiddlewareHandler {
  return async (context, next) => {
    const site = context.req.header("sec-fetch-site");
    const origin = context.req.header("origin");
    const foreignSite = site !== undefined && site !== "same-origin" && site !== "none";
    if (foreignSite || (origin !== undefined && !sameOrigin(origin, context.req.header("host")))) {
      throw new ApiError(403, "BR4003", "The request comes from another site");
    }
    await next();
  };
}

function sameOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

export function tokenGuard(
  crypto: Crypto,
  token: string,
  open: (path: string) => boolean,
): MiddlewareHandler {
  // Hashes have one length whatever is sent, so the comparison tells nothing.
  const expected = crypto.sha256(encodeText(token));
  return async (context, next) => {
    if (!open(context.req.path)) {
      const given = /^Bearer +(\S+)$/i.exec(context.req.header("authorization") ?? "")?.[1];
      const hash = crypto.sha256(encodeText(given ?? ""));
      if (!crypto.timingSafeEqual(hash, expected) || given === undefined) {
        const what = given === undefined ? "There is no bearer token" : "The token is wrong";
        context.header("WWW-Authenticate", "Bearer");
        throw new ApiError(
          401,
          "BR4001",
          what,
          "send the one of admin.token_file or of admin-token in the data directory",
        );
      }
    }
    await next();
  };
}

export function jsonGuard(): MiddlewareHandler {
  return async (context, next) => {
    const { method } = context.req;
    if (method === "POST" || method === "PUT" || method === "PATCH") {
      const type = (context.req.header("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
      if (type !== "application/json") {
        throw new ApiError(415, "BR4004", "Writes need the header Content-Type: application/json");
      }
    }
    await next();
  };
}

/**
 * By the length that the request states, which the HTTP server holds it to. A body without one is
 * refused: nothing has to be read to know that it is too much.
 */
export function sizeGuard(): MiddlewareHandler {
  return async (context, next) => {
    const length = Number(context.req.header("content-length") ?? 0);
    if (context.req.header("transfer-encoding") !== undefined) {
      throw new ApiError(411, "BR4005", "A body needs the header Content-Length");
    }
    if (!(length <= MAX_BODY_BYTES)) {
      throw new ApiError(413, "BR4005", `The body is larger than ${MAX_BODY_BYTES} bytes`);
    }
    await next();
  };
}

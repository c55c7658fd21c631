/**
 * The admin API: HTTP over the node's and the cluster's operations. Reads are local and work without
 * a quorum; writes are entries in the log, which any node hands to the leader. Everything that is
 * checked before a route runs is in guards.ts, every shape in schema.ts and cluster-schema.ts, every
 * error in problem.ts.
 */
import { OpenAPIHono } from "@hono/zod-openapi";
import { HTTPException } from "hono/http-exception";
import type { Logger } from "../base/logger.ts";
import { VERSION } from "../base/version.ts";
import type { ClusterOperations, NodeOperations, Waiting } from "../cluster/operations.ts";
import type { Clock } from "../platform/clock.ts";
import type { Crypto } from "../platform/crypto.ts";
import { hostGuard, jsonGuard, siteGuard, sizeGuard, tokenGuard } from "./guards.ts";
import { loadGuard, oneInATurn } from "./places.ts";
import { ApiError, answerError } from "./problem.ts";
import { type ReplayRule, replayToLeader } from "./replay.ts";
import { requestLog } from "./request-log.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { binlogRoutes } from "./routes/binlogs.ts";
import { clusterRoutes } from "./routes/cluster.ts";
import { isOpenPath, liveRoutes, readyRoute } from "./routes/health.ts";
import { memberRoutes } from "./routes/members.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { placementRoutes } from "./routes/placement.ts";
import { serverRoutes } from "./routes/server.ts";
import { statusRoutes } from "./routes/status.ts";
import { syncerRoutes } from "./routes/syncer.ts";

export interface GuardOptions {
  readonly clock: Pick<Clock, "mono" | "soon">;
  readonly crypto: Crypto;
  readonly token: string;
  /** Names and addresses by which this node is called, beside the loopback ones. */
  readonly hostNames: readonly string[];
  /** `/metrics` needs no token. */
  readonly openMetrics: boolean;
  readonly logger: Logger;
}

export interface AdminOptions extends GuardOptions {
  readonly node: NodeOperations & ClusterOperations;
  /** Null where no proxy in front of the nodes sends requests on. */
  readonly replay: ReplayRule | null;
}

/** A web-standard handler for the platform's HTTP server. */
export function createApp(options: AdminOptions): OpenAPIHono {
  const { node, logger, replay } = options;
  const app = guardedApp(options);
  if (replay !== null) app.use(replayToLeader(replay, node));
  readyRoute(app, node);
  metricsRoutes(app, node);
  statusRoutes(app, node);
  clusterRoutes(app, node);
  placementRoutes(app, node);
  memberRoutes(app, node);
  syncerRoutes(app, node);
  serverRoutes(app, node);
  binlogRoutes(app, node, logger);
  accountRoutes(app, node);
  describeRoutes(app);
  return app;
}

/** The description is the same as long as the process lives, and making it takes 25 ms. */
function describeRoutes(app: OpenAPIHono): void {
  let text: string | null = null;
  app.get("/openapi.json", (context) => {
    const info = { title: "binraft", version: VERSION };
    text ??= JSON.stringify(app.getOpenAPI31Document({ openapi: "3.1.0", info }));
    return context.body(text, 200, { "content-type": "application/json" });
  });
}

/** The same for a node that starts: it lives, and says to everything else what it waits for. */
export function createStartingApp(options: GuardOptions, waiting: () => Waiting): OpenAPIHono {
  const app = guardedApp(options);
  app.all("*", () => {
    const { reason, next } = waiting();
    throw new ApiError(503, "BR4009", reason, next);
  });
  return app;
}

function guardedApp(options: GuardOptions): OpenAPIHono {
  const { clock, crypto, token, hostNames, openMetrics, logger } = options;
  const isOpen = (path: string): boolean =>
    isOpenPath(path) || (openMetrics && path === "/metrics");
  const app = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw new ApiError(400, "BR4006", describeIssues(result.error.issues));
    },
  });
  app.onError((error, context) => answerError(context, invalidJson(error), logger));
  app.notFound((context) => {
    const error = new ApiError(
      404,
      "BR4007",
      `There is no route ${context.req.method} ${context.req.path}`,
    );
    return answerError(context, error, logger);
  });
  app.use(oneInATurn(clock));
  app.use(requestLog(logger, clock));
  app.use(async (context, next) => {
    await next();
    context.header("Cache-Control", "no-store");
    context.header("X-Content-Type-Options", "nosniff");
    context.header("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'");
  });
  app.use(hostGuard(hostNames), siteGuard(), tokenGuard(crypto, token, isOpen));
  app.use(jsonGuard(), sizeGuard(), loadGuard(isOpen));

  liveRoutes(app);
  return app;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function describeIssues(issues: readonly Issue[]): string {
  return issues
    .map(({ path, message }) =>
      path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`,
    )
    .join("; ");
}

/** What the framework throws for a body that is no JSON. */
function invalidJson(error: Error): Error {
  if (error instanceof HTTPException && error.status === 400) {
    return new ApiError(400, "BR4006", "The body is not valid JSON");
  }
  return error;
}

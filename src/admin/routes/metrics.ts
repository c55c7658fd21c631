/** `/metrics`: this node in Prometheus' text format. With the token, since it names replicas. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ClusterOperations, NodeOperations } from "../../cluster/operations.ts";
import { METRICS_TYPE, renderMetrics } from "../metrics/registry.ts";

export function metricsRoutes(app: OpenAPIHono, node: NodeOperations & ClusterOperations): void {
  const route = createRoute({
    method: "get",
    path: "/metrics",
    summary: "This node's metrics, for Prometheus",
    responses: {
      200: { description: "The metrics", content: { "text/plain": { schema: z.string() } } },
    },
  });
  app.openapi(route, async (context) => {
    const text = await renderMetrics({
      status: node.status(),
      cluster: node.cluster(),
      metrics: node.metrics(),
      replicas: node.replicas(),
      ready: node.notReady() === null,
    });
    return context.text(text, 200, { "content-type": METRICS_TYPE });
  });
}

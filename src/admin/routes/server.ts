/** `/v1/server`: the binlog server of the node that is asked. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { ClusterOperations, NodeOperations } from "../../cluster/operations.ts";
import { answers, requestBody } from "../answers.ts";
import { emptyRequest, serverStatus } from "../schema.ts";

export function serverRoutes(app: OpenAPIHono, node: NodeOperations & ClusterOperations): void {
  const show = createRoute({
    method: "get",
    path: "/v1/server",
    summary: "The binlog server of this node",
    responses: answers(serverStatus),
  });
  app.openapi(show, (context) => context.json(serverStatus.parse(node.status().server), 200));

  const wants = { start: () => node.startServer(), stop: () => node.stopServer() };
  for (const [verb, act] of Object.entries(wants)) {
    const route = createRoute({
      method: "post",
      path: `/v1/server/${verb}`,
      summary:
        verb === "start"
          ? "Serves replicas here, also after a restart"
          : "Closes every replica's connection and serves none here, also after a restart",
      request: requestBody(emptyRequest),
      responses: answers(serverStatus),
    });
    app.openapi(route, async (context) => context.json(serverStatus.parse(await act()), 200));
  }
}

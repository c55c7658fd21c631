/** `/v1/status`, `/v1/gtid`, `/v1/replicas`: what this node sees, without a quorum. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { type NodeOperations, OperationError } from "../../cluster/operations.ts";
import { answers } from "../answers.ts";
import { gtidStatus, nodeStatus, replicaStatus } from "../schema.ts";

export function statusRoutes(app: OpenAPIHono, node: NodeOperations): void {
  const status = createRoute({
    method: "get",
    path: "/v1/status",
    summary: "This node",
    responses: answers(nodeStatus),
  });
  app.openapi(status, (context) => context.json(nodeStatus.parse(node.status()), 200));

  const gtid = createRoute({
    method: "get",
    path: "/v1/gtid",
    summary: "Executed and purged GTIDs",
    responses: answers(gtidStatus),
  });
  app.openapi(gtid, (context) => context.json(gtidStatus.parse(node.gtid()), 200));

  const items = z.object({ items: z.array(replicaStatus) });
  const replicas = createRoute({
    method: "get",
    path: "/v1/replicas",
    summary: "The replicas that follow this node",
    responses: answers(items),
  });
  app.openapi(replicas, (context) => context.json(items.parse({ items: node.replicas() }), 200));

  const kick = createRoute({
    method: "delete",
    path: "/v1/replicas/{uuid}",
    summary: "Closes a replica's connection; it may come back",
    request: { params: z.object({ uuid: z.string().min(1).max(64) }) },
    responses: { 204: { description: "Closed" } },
  });
  app.openapi(kick, (context) => {
    const { uuid } = context.req.valid("param");
    if (!node.kickReplica(uuid)) {
      throw new OperationError(
        "not-found",
        `No replica with the UUID "${uuid}" is connected`,
        "binraft replica list",
      );
    }
    return context.body(null, 204);
  });
}

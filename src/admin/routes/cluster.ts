/** `/v1/cluster`: the whole, as this node sees it; who leads; how much binlog is kept. */
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { ClusterOperations } from "../../cluster/operations.ts";
import { answers, requestBody } from "../answers.ts";
import {
  clusterStatus,
  leaderDocument,
  leaderRequest,
  type Retention,
  retentionDocument,
} from "../cluster-schema.ts";

export function clusterRoutes(app: OpenAPIHono, node: ClusterOperations): void {
  const show = createRoute({
    method: "get",
    path: "/v1/cluster",
    summary: "The cluster and its members, as this node sees them",
    responses: answers(clusterStatus),
  });
  app.openapi(show, (context) => context.json(clusterStatus.parse(node.cluster()), 200));

  const transfer = createRoute({
    method: "post",
    path: "/v1/cluster/leader",
    summary: "Hands leadership to a member, or to the one that the leader chooses",
    request: requestBody(leaderRequest),
    responses: answers(leaderDocument),
  });
  app.openapi(transfer, async (context) => {
    const leaderId = await node.transferLeader(context.req.valid("json").member);
    // By the id: this node may hear of its new leader later than of the transfer's end.
    const leader = node.cluster().members.find((member) => member.id === leaderId);
    return context.json(leaderDocument.parse({ leaderId, leaderName: leader?.name ?? "" }), 200);
  });

  const retention = (): Retention => {
    const { retentionBytes, retentionHours } = node.cluster();
    return { bytes: retentionBytes, hours: retentionHours };
  };
  const get = createRoute({
    method: "get",
    path: "/v1/cluster/retention",
    summary: "How much binlog is kept, by size and by age",
    responses: answers(retentionDocument),
  });
  app.openapi(get, (context) => context.json(retentionDocument.parse(retention()), 200));

  const put = createRoute({
    method: "put",
    path: "/v1/cluster/retention",
    summary: "Sets both bounds, on every node; null is no bound",
    request: requestBody(retentionDocument),
    responses: answers(retentionDocument),
  });
  app.openapi(put, async (context) => {
    const wanted = context.req.valid("json");
    await node.setRetention(wanted);
    // What was decided, not what this node has applied so far.
    return context.json(wanted, 200);
  });
}

/** `/v1/cluster/placement`: where voters and leader should be; `/v1/nearest`: who serves a region. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ClusterOperations } from "../../cluster/operations.ts";
import { answers, requestBody } from "../answers.ts";
import { nearNode, placementChange, placementStatus } from "../placement-schema.ts";
import { emptyRequest, regionName } from "../schema.ts";

const path = "/v1/cluster/placement";

export function placementRoutes(app: OpenAPIHono, node: ClusterOperations): void {
  const show = createRoute({
    method: "get",
    path,
    summary: "Where voters and leader are and should be, with the reasons; as the leader sees it",
    responses: answers(placementStatus),
  });
  app.openapi(show, async (context) =>
    context.json(placementStatus.parse(await node.placement()), 200),
  );

  const put = createRoute({
    method: "put",
    path,
    summary:
      "Changes what plans aim at, and whether they are applied by themselves; what is left out stays",
    request: requestBody(placementChange),
    responses: answers(placementStatus),
  });
  app.openapi(put, async (context) =>
    context.json(placementStatus.parse(await node.setPlacement(context.req.valid("json"))), 200),
  );

  const apply = createRoute({
    method: "post",
    path: `${path}/apply`,
    summary: "Makes the voters those of the plan, in one step",
    request: requestBody(emptyRequest),
    responses: answers(placementStatus),
  });
  app.openapi(apply, async (context) =>
    context.json(placementStatus.parse(await node.applyPlacement()), 200),
  );

  const items = z.object({ items: z.array(nearNode) });
  const nearest = createRoute({
    method: "get",
    path: "/v1/nearest",
    summary: "Nodes that serve, the nearest to a region first: where its replicas should connect",
    request: { query: z.object({ region: regionName }) },
    responses: answers(items),
  });
  app.openapi(nearest, (context) => {
    const { region } = context.req.valid("query");
    return context.json(items.parse({ items: node.nearest(region) }), 200);
  });
}

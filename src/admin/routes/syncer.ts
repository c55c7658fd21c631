/** `/v1/syncer`: where the binlog comes from, and what an operator decides about it. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ClusterOperations, NodeOperations } from "../../cluster/operations.ts";
import { answers, requestBody } from "../answers.ts";
import {
  acceptGapRequest,
  confirmRequest,
  emptyRequest,
  type SyncerDocument,
  sourceChange,
  sourceCheck,
  syncerDocument,
} from "../schema.ts";

export function syncerRoutes(app: OpenAPIHono, node: NodeOperations & ClusterOperations): void {
  // The leader's: it alone pulls, whichever node is asked.
  const show = async (): Promise<SyncerDocument> =>
    syncerDocument.parse({ ...(await node.syncer()), settings: node.source() });

  const get = createRoute({
    method: "get",
    path: "/v1/syncer",
    summary: "The syncer, as the leader has it, and the source's settings",
    responses: answers(syncerDocument),
  });
  app.openapi(get, async (context) => context.json(await show(), 200));

  const put = createRoute({
    method: "put",
    path: "/v1/syncer",
    summary: "Changes the source; what is left out stays",
    request: requestBody(sourceChange),
    responses: answers(syncerDocument),
  });
  app.openapi(put, async (context) => {
    await node.setSource(context.req.valid("json"));
    return context.json(await show(), 200);
  });

  const wants = { start: () => node.startSyncer(), stop: () => node.stopSyncer() };
  for (const [verb, act] of Object.entries(wants)) {
    const route = createRoute({
      method: "post",
      path: `/v1/syncer/${verb}`,
      summary: `${verb === "start" ? "Starts" : "Stops"} the syncer, for good`,
      request: requestBody(emptyRequest),
      responses: answers(syncerDocument),
    });
    app.openapi(route, async (context) => {
      await act();
      return context.json(await show(), 200);
    });
  }

  const items = z.object({ items: z.array(sourceCheck) });
  const check = createRoute({
    method: "post",
    path: "/v1/syncer/check",
    summary: "Connects to the source and reports; changes nothing",
    request: requestBody(emptyRequest),
    responses: answers(items),
  });
  app.openapi(check, async (context) =>
    context.json(items.parse({ items: await node.checkSource() }), 200),
  );

  const gap = createRoute({
    method: "post",
    path: "/v1/syncer/accept-gap",
    summary: "Gives up transactions that the source has purged",
    request: requestBody(acceptGapRequest),
    responses: answers(syncerDocument),
  });
  app.openapi(gap, async (context) => {
    const { gtids, confirm } = context.req.valid("json");
    await node.acceptGap(gtids, confirm);
    return context.json(await show(), 200);
  });

  const unproved = createRoute({
    method: "post",
    path: "/v1/syncer/accept-unproved",
    summary: "Vouches for a source that has purged what would prove its history",
    request: requestBody(confirmRequest),
    responses: answers(syncerDocument),
  });
  app.openapi(unproved, async (context) => {
    await node.acceptUnproved(context.req.valid("json").confirm);
    return context.json(await show(), 200);
  });

  const timeline = createRoute({
    method: "post",
    path: "/v1/syncer/new-timeline",
    summary: "Begins anew with the present source",
    request: requestBody(confirmRequest),
    responses: answers(syncerDocument),
  });
  app.openapi(timeline, async (context) => {
    await node.newTimeline(context.req.valid("json").confirm);
    return context.json(await show(), 200);
  });
}

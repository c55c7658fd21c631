/** `/v1/members`: who belongs to the cluster, and changing that. Any node takes these. */

import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { findMember } from "../../cluster/find-member.ts";
import type { ClusterOperations, MemberStatus } from "../../cluster/operations.ts";
import { answers, requestBody } from "../answers.ts";
import {
  addMemberRequest,
  memberName,
  memberStatus,
  replaceMemberRequest,
} from "../cluster-schema.ts";
import { emptyRequest } from "../schema.ts";

const params = z.object({ member: memberName });

export function memberRoutes(app: OpenAPIHono, node: ClusterOperations): void {
  const items = z.object({ items: z.array(memberStatus) });
  const list = createRoute({
    method: "get",
    path: "/v1/members",
    summary: "The members",
    responses: answers(items),
  });
  app.openapi(list, (context) => context.json(items.parse({ items: node.cluster().members }), 200));

  const show = createRoute({
    method: "get",
    path: "/v1/members/{member}",
    summary: "One member, by its id or name",
    request: { params },
    responses: answers(memberStatus),
  });
  app.openapi(show, (context) => {
    const { member } = context.req.valid("param");
    return context.json(memberStatus.parse(findMember(node.cluster().members, member)), 200);
  });

  const add = createRoute({
    method: "post",
    path: "/v1/members",
    summary: "Invites the fresh node that waits at a peer address; it becomes a learner",
    request: requestBody(addMemberRequest),
    responses: answers(memberStatus),
  });
  app.openapi(add, async (context) =>
    context.json(memberStatus.parse(await node.addMember(context.req.valid("json").address)), 200),
  );

  changes(app, node);
}

function changes(app: OpenAPIHono, node: ClusterOperations): void {
  const roles: readonly [string, string, (member: string) => Promise<MemberStatus>][] = [
    ["promote", "Makes a learner that is caught up a voter", (one) => node.promoteMember(one)],
    ["demote", "Makes a voter a learner", (one) => node.demoteMember(one)],
  ];
  for (const [verb, summary, act] of roles) {
    const route = createRoute({
      method: "post",
      path: `/v1/members/{member}/${verb}`,
      summary,
      request: { params, ...requestBody(emptyRequest) },
      responses: answers(memberStatus),
    });
    app.openapi(route, async (context) =>
      context.json(memberStatus.parse(await act(context.req.valid("param").member)), 200),
    );
  }

  const replace = createRoute({
    method: "post",
    path: "/v1/members/{member}/replace",
    summary: "In one step: the learner `with` becomes a voter, and this voter goes",
    request: { params, ...requestBody(replaceMemberRequest) },
    responses: answers(memberStatus),
  });
  app.openapi(replace, async (context) => {
    const fresh = context.req.valid("json").with;
    const made = await node.replaceMember(context.req.valid("param").member, fresh);
    return context.json(memberStatus.parse(made), 200);
  });

  const remove = createRoute({
    method: "delete",
    path: "/v1/members/{member}",
    summary: "Removes a member for good: its id never comes back",
    request: { params },
    responses: { 204: { description: "Removed" } },
  });
  app.openapi(remove, async (context) => {
    await node.removeMember(context.req.valid("param").member);
    return context.body(null, 204);
  });
}

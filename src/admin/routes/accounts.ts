/** `/v1/accounts`: who may replicate. Verifiers go in and never come out. */
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { accountStatus, type NodeOperations } from "../../cluster/operations.ts";
import { answers, requestBody } from "../answers.ts";
import { accountDocument, accountRequest } from "../schema.ts";

const params = z.object({ name: z.string().min(1).max(32) });

export function accountRoutes(app: OpenAPIHono, node: NodeOperations): void {
  const items = z.object({ items: z.array(accountDocument) });
  const list = createRoute({
    method: "get",
    path: "/v1/accounts",
    summary: "The accounts of replicas",
    responses: answers(items),
  });
  app.openapi(list, (context) => context.json(items.parse({ items: node.accounts() }), 200));

  const put = createRoute({
    method: "put",
    path: "/v1/accounts/{name}",
    summary: "Makes or changes an account",
    request: { params, ...requestBody(accountRequest) },
    responses: answers(accountDocument),
  });
  app.openapi(put, async (context) => {
    const { name } = context.req.valid("param");
    const account = context.req.valid("json");
    await node.setAccount(name, account);
    return context.json(accountDocument.parse(accountStatus([name, account])), 200);
  });

  const remove = createRoute({
    method: "delete",
    path: "/v1/accounts/{name}",
    summary: "Removes an account",
    request: { params },
    responses: { 204: { description: "Removed" } },
  });
  app.openapi(remove, async (context) => {
    await node.removeAccount(context.req.valid("param").name);
    return context.body(null, 204);
  });
}

/**
 * Sends a write on to the leader by the proxy in front of the nodes, where there is one that does
 * so when an answer has a header: that spares the way over this node. Without such a proxy, and when it
 * could not reach the leader, this node hands the write on itself (cluster/leader-calls.ts).
 *
 * It comes after all guards: only what was let in is sent on. Writes about the node that is asked stay.
 */
import type { MiddlewareHandler } from "hono";
import type { ClusterOperations } from "../cluster/operations.ts";
import { ApiError } from "./problem.ts";

/**
 * The header by which the proxy sends this request to the node with that peer address. Null: it did
 * not come through the proxy, or was sent on before.
 */
export type ReplayRule = (
  request: Headers,
  peerAddress: string,
) => { readonly name: string; readonly value: string } | null;

/** Of the node that is asked, whoever leads. */
const OWN = /^\/v1\/(server|replicas)\//;
const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

export function isForLeader(method: string, path: string): boolean {
  return !READS.has(method) && path.startsWith("/v1/") && !OWN.test(path);
}

export function replayToLeader(
  rule: ReplayRule,
  node: Pick<ClusterOperations, "cluster">,
): MiddlewareHandler {
  return async (context, next) => {
    if (isForLeader(context.req.method, context.req.path)) {
      const leader = node.cluster().members.find((member) => member.leader);
      const header =
        leader === undefined || leader.self
          ? null
          : rule(context.req.raw.headers, leader.peerAddress);
      if (header !== null) {
        context.header(header.name, header.value);
        throw new ApiError(
          503,
          "BR4009",
          "This node does not lead: the proxy in front of it sends the request on to the one that does",
          "if you see this, you called past the proxy: leave out its headers",
        );
      }
    }
    await next();
  };
}

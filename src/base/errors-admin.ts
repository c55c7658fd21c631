/** What the admin API answers with (catalogue: errors.ts). */
import type { CatalogueEntry } from "./errors.ts";

export const ADMIN: readonly CatalogueEntry[] = [
  {
    code: "BR4001",
    title: "The token is missing or wrong",
    cause: "Every route but `/livez` and `/readyz` needs `Authorization: Bearer TOKEN`.",
    normal: "No.",
    todo: "Use the token of `admin.token_file`, or of `admin-token` in the data directory.",
  },
  {
    code: "BR4002",
    title: "The Host header is not one of this node",
    cause: "A name that is not this node's; a web page could have made it resolve to this machine.",
    normal: "No.",
    todo: "Use the address of `listen.admin`, 127.0.0.1 or localhost in the URL.",
  },
  {
    code: "BR4003",
    title: "Cross-site requests are refused",
    cause: "A browser sent the request for a page of another site.",
    normal: "No.",
    todo: "Use the command line, or a page that this node itself serves.",
  },
  {
    code: "BR4004",
    title: "A body must be JSON",
    cause: "The request has a body and no `Content-Type: application/json`.",
    normal: "No.",
    todo: "Send that header.",
  },
  {
    code: "BR4005",
    title: "The body is too large",
    cause: "Bodies are at most 64 KiB, and state their length.",
    normal: "No.",
    todo: "Send less, with a `Content-Length` header.",
  },
  {
    code: "BR4006",
    title: "The request is not valid",
    cause: "A field is missing, unknown or of the wrong kind, or the operation does not apply.",
    normal: "No.",
    todo: "The detail names the field; `/openapi.json` describes all.",
  },
  {
    code: "BR4007",
    title: "Not found",
    cause: "There is no such route, file, replica, account or member.",
    normal: "No.",
    todo: "List what there is, for instance with `binraft binlog list`.",
  },
  {
    code: "BR4008",
    title: "The operation conflicts with the present state",
    cause: "For instance a confirmation that names another cluster, or a file that is in use.",
    normal: "No.",
    todo: "The detail says what to do.",
  },
  {
    code: "BR4009",
    title: "Not available now",
    cause:
      "The node cannot do it at present: it starts or stops, waits for its place in a cluster, or its disk " +
      "is full.",
    normal: "While a node starts or stops.",
    todo: "Try again; look at `binraft status`.",
  },
  {
    code: "BR4010",
    title: "Internal error",
    cause: "A defect of binraft. The node's log has the details.",
    normal: "No.",
    todo: "Report it with the log line.",
  },
  {
    code: "BR4011",
    title: "No quorum",
    cause:
      "There is no leader, or it does not reach a majority of the voters: nothing can be decided. The " +
      "command line ends with 4. A write that got this answer may still be applied later.",
    normal: "For a moment during an election. Replicas are served on with what every node has.",
    todo:
      "Try again. If it lasts, `binraft cluster show` on each node tells which voters are not heard of: " +
      "start them, or mend the network between them.",
  },
  {
    code: "BR4012",
    title: "Too many requests at once",
    cause:
      "16 reads, 16 writes or 8 downloads are at work already. Writes that wait for a quorum hold their " +
      "places for some seconds.",
    normal: "No: an operator's tools and a Prometheus need a few.",
    todo: "Try again in a second. If it lasts, look for who asks so much; health is answered always.",
  },
];

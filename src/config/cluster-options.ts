/** The options of `[cluster]`, in the order of the reference (options.ts). */
import { hostMaybePort, hostPort, hostPorts, oneOf, path, size, wholeNumber } from "./kinds.ts";
import { type Option, option, secretFile } from "./option.ts";

export const CLUSTER_OPTIONS: readonly Option[] = [
  secretFile(
    "cluster",
    "secret_file",
    "File with the secret that all nodes of the cluster share: 16 characters or more. Further lines " +
      "hold secrets that are accepted too, while it is changed. Not needed with certificates.",
  ),
  option(
    "cluster",
    "tls_ca",
    path,
    null,
    "PEM file of the CA that signs the nodes' certificates; whoever has one of it may join.",
  ),
  option(
    "cluster",
    "tls_cert",
    path,
    null,
    "PEM file of the certificate that this node shows to the others; self-made when left out.",
  ),
  option("cluster", "tls_key", path, null, "PEM file of that certificate's key."),
  option(
    "cluster",
    "join",
    hostPorts,
    null,
    "Peer addresses of nodes to join, or to form a cluster with.",
  ),
  option(
    "cluster",
    "advertise",
    hostPort,
    null,
    "Where other nodes reach this one; `listen.peer` when left out. A name is fine.",
  ),
  option(
    "cluster",
    "heartbeat_ms",
    wholeNumber(5, 60_000),
    100,
    "Between two heartbeats of the leader, milliseconds, at least: far nodes make it longer, on all nodes. " +
      "The same on all nodes.",
  ),
  option(
    "cluster",
    "election_ms",
    wholeNumber(5, 600_000),
    1000,
    "Silence of the leader after which another is elected, milliseconds, at least. The same on all nodes.",
  ),
  option(
    "cluster",
    "placement",
    oneOf("manual", "auto"),
    "manual",
    "Who makes members voters: operators, or the leader itself by the plan of `binraft cluster placement`. " +
      "Counts once, then the log holds.",
  ),
  option(
    "cluster",
    "voters",
    wholeNumber(1, 9),
    3,
    "Voters that a plan aims at: an odd number. Counts once, then the log holds.",
  ),
  option(
    "cluster",
    "compress",
    oneOf("auto", "always", "never"),
    "auto",
    "Make what goes to other nodes smaller: between regions, on all links, or never.",
  ),
  option(
    "cluster",
    "wan_window_bytes",
    size(1024 * 1024, 1024 * 1024 * 1024, "from 1MiB to 1GiB"),
    "32MiB",
    "The most that may be on its way to a node of another region: twice its bandwidth times the round " +
      "trip is used, up to this; it costs as much memory.",
  ),
  option(
    "cluster",
    "leader_cooldown_s",
    wholeNumber(0, 86_400),
    60,
    "The leader is moved to the source's region this long after it began to lead or was moved, seconds.",
  ),
  option(
    "cluster",
    "replace_after_s",
    wholeNumber(1, 86_400),
    600,
    "A voter that is not heard of for so long is left out of plans, seconds.",
  ),
  option(
    "cluster",
    "remove_after_hours",
    wholeNumber(0, 8_760),
    24,
    "With placement = `auto`: a member without a vote that is not heard of for so long is removed. 0: never.",
  ),
  option(
    "cluster",
    "bootstrap_expect",
    wholeNumber(1, 9),
    null,
    "Form a cluster once this many fresh nodes see each other.",
  ),
  option(
    "cluster",
    "history",
    oneOf("all", "from-now"),
    "all",
    "What a fresh node that joins begins with: all binlog files, or the one that is written when it " +
      "joins. `from-now` joins in seconds; such a node becomes a voter only once the older files are purged.",
  ),
  option(
    "cluster",
    "discovery",
    oneOf("static", "dns", "fly"),
    "static",
    "How a fresh node finds others: in `join`, which holds in any case; at all addresses of " +
      "`discovery_name`; or among the machines of its app on Fly.io.",
  ),
  option(
    "cluster",
    "discovery_name",
    hostMaybePort,
    null,
    "Name that has the addresses of all nodes; with the port of `listen.peer` when left out.",
  ),
];

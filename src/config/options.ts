/**
 * Every option once. Flags, environment variables, the keys of `binraft.toml`, `--help` and
 * `docs/reference/config.md` all come from this list; normalise.ts makes the strict type of it.
 *
 * A secret is never a value in the file or on a command line: `password_file` names a file, and
 * the environment may hold either the file's name (…_FILE) or the secret itself (without it).
 */
import {
  hostMaybePort,
  hostPort,
  hostPorts,
  type Kind,
  label,
  oneOf,
  path,
  size,
  text,
  wholeNumber,
  yesNo,
} from "./kinds.ts";

export interface Option {
  readonly section: string;
  readonly key: string;
  readonly kind: Kind;
  /** As it would be written; null when there is none. */
  readonly standard: string | number | boolean | null;
  /** The key names a file with a secret in it. */
  readonly secret?: true;
  readonly help: string;
}

const MIB = 2 ** 20;
const U32_MAX = 2 ** 32 - 1;
const MOST_BYTES = 2 ** 50;

function option(
  section: string,
  key: string,
  kind: Kind,
  standard: Option["standard"],
  help: string,
): Option {
  return { section, key, kind, standard, help };
}

function secretFile(section: string, key: string, help: string): Option {
  return { section, key, kind: path, standard: null, secret: true, help };
}

const SERVER_ID = wholeNumber(1, U32_MAX);

export const OPTIONS: readonly Option[] = [
  option(
    "node",
    "name",
    label,
    null,
    "Name of this node in tables and logs; the host's name when left out.",
  ),
  option(
    "node",
    "region",
    label,
    "local",
    "Where this node is, such as `iad`; shown, and used to choose who leads.",
  ),
  option(
    "node",
    "data_dir",
    path,
    "./data",
    "Directory of the log. One node, one directory; made with mode 0700.",
  ),
  option(
    "node",
    "server_id",
    SERVER_ID,
    null,
    "server_id that replicas see; derived from the node's UUID when left out.",
  ),

  option("listen", "mysql", hostPort, "127.0.0.1:3307", "Where replicas connect."),
  option(
    "listen",
    "peer",
    hostPort,
    "127.0.0.1:4306",
    "Where other nodes of the cluster connect. Used with `[cluster]` only.",
  ),
  option(
    "listen",
    "admin",
    hostPort,
    "127.0.0.1:8306",
    "Where the admin API answers. Off loopback it needs `admin.token_file` and TLS; on Fly.io the token alone.",
  ),

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
    "Between two heartbeats of the leader, milliseconds; the same on all nodes.",
  ),
  option(
    "cluster",
    "election_ms",
    wholeNumber(5, 600_000),
    1000,
    "Silence of the leader after which another is elected, milliseconds; the same on all nodes.",
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

  option(
    "source",
    "url",
    text,
    null,
    "The source: `mysql://user@host:3306`. The password goes into `password_file`.",
  ),
  secretFile("source", "password_file", "File with the password of the source's user."),
  option(
    "source",
    "tls",
    oneOf("disabled", "verify-ca", "verify-identity"),
    "verify-identity",
    "TLS to the source, and what is checked of its certificate.",
  ),
  option(
    "source",
    "tls_ca",
    path,
    null,
    "PEM file of the CA that signed the source's certificate; the runtime's roots when left out.",
  ),
  option(
    "source",
    "tls_cert",
    path,
    null,
    "PEM file of the certificate that binraft shows to the source.",
  ),
  option("source", "tls_key", path, null, "PEM file of that certificate's key."),
  option(
    "source",
    "public_key_file",
    path,
    null,
    "PEM file of the source's RSA key: logs in by caching_sha2_password without TLS.",
  ),
  option(
    "source",
    "semi_sync",
    yesNo,
    true,
    "Acknowledge transactions once they are durable here, if the source has the plugin.",
  ),
  option(
    "source",
    "server_id",
    SERVER_ID,
    4000,
    "server_id that the source sees; no other server or replica may have it.",
  ),
  option(
    "source",
    "native_password",
    yesNo,
    false,
    "Allow mysql_native_password at the source: MySQL 5.6 needs it.",
  ),

  option(
    "replicas",
    "tls_cert",
    path,
    null,
    "PEM file of the certificate that replicas see; self-signed in `data_dir/tls` when left out.",
  ),
  option("replicas", "tls_key", path, null, "PEM file of that certificate's key."),
  option("replicas", "require_tls", yesNo, false, "Refuse replicas that do not use TLS."),
  option(
    "replicas",
    "max_connections",
    wholeNumber(1, 100_000),
    2000,
    "Connections from replicas at one time.",
  ),
  option(
    "replicas",
    "allow_origin_server_ids",
    yesNo,
    false,
    "Accept a replica whose server_id occurs in the stream; it would skip its own transactions.",
  ),

  option(
    "storage",
    "segment_bytes",
    size(64 * 1024, 1024 * MIB, "from 64KiB to 1GiB"),
    "128MiB",
    "Size of one file of the log. Space is taken this much ahead.",
  ),
  option(
    "storage",
    "retention_bytes",
    size(1, MOST_BYTES, "above 0"),
    null,
    "Binlog to keep, by size; whole files are purged. Nothing is purged by size when left out.",
  ),
  option(
    "storage",
    "retention_hours",
    wholeNumber(1, 1_000_000),
    null,
    "Binlog to keep, by age. Nothing is purged by age when left out.",
  ),
  option(
    "storage",
    "keep_for_absent_hours",
    wholeNumber(0, 1_000_000),
    24,
    "Keep what a replica that left still needs for so long, up to twice `retention_bytes`. 0: do not.",
  ),

  secretFile(
    "admin",
    "token_file",
    "File with the token of the admin API, 16 characters or more; made in `data_dir/admin-token` when left out.",
  ),
  option(
    "admin",
    "tls_cert",
    path,
    null,
    "PEM file of the admin API's certificate; plain HTTP when left out.",
  ),
  option("admin", "tls_key", path, null, "PEM file of that certificate's key."),
  option(
    "admin",
    "open_metrics",
    yesNo,
    false,
    "Answer `/metrics` without the token, for a collector that cannot send one.",
  ),
  option("admin", "dashboard", yesNo, true, "Serve the dashboard at `/`. Not used yet."),
];

/** `[accounts]` is a table of names: `repl = { password_file = "…", native = false }`. */
export const ACCOUNT_OPTIONS: readonly Option[] = [
  secretFile("accounts", "password_file", "File with the account's password."),
  option(
    "accounts",
    "native",
    yesNo,
    false,
    "Also allow mysql_native_password, for replicas that know nothing newer.",
  ),
];

/** Names that begin with BINRAFT_ and are no options. */
export const RESERVED_VARIABLES: ReadonlyMap<string, string> = new Map([
  ["BINRAFT_URL", "The node that the command line talks to; `--server`."],
  ["BINRAFT_TOKEN", "The token that the command line sends; `--token`."],
  ["BINRAFT_MYSQLD", "The mysqld that demo and tests start."],
  ["BINRAFT_ETCD_RAFT_TESTDATA", "Where the tests find etcd's data-driven Raft files."],
]);
export const RESERVED_PREFIX = "BINRAFT_TEST_";

export function optionName({ section, key }: Option): string {
  return `${section}.${key}`;
}

export function flagName({ section, key }: Option): string {
  return `--${section}-${key}`.replaceAll("_", "-");
}

export function variableName({ section, key }: Option): string {
  return `BINRAFT_${section}_${key}`.toUpperCase();
}

/** The variable that holds a secret itself, beside the …_FILE that names a file. */
export function secretVariableName(option: Option): string {
  return variableName(option).replace(/_FILE$/, "");
}

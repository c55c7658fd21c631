/**
 * Every option once. Flags, environment variables, the keys of `binraft.toml`, `--help` and
 * `docs/reference/config.md` all come from this list; normalise.ts makes the strict type of it.
 *
 * A secret is never a value in the file or on a command line: `password_file` names a file, and
 * the environment may hold either the file's name (…_FILE) or the secret itself (without it).
 */
import { CLUSTER_OPTIONS } from "./cluster-options.ts";
import { hostPort, label, oneOf, path, size, text, wholeNumber, yesNo } from "./kinds.ts";
import { type Option, option, secretFile } from "./option.ts";

const MIB = 2 ** 20;
const U32_MAX = 2 ** 32 - 1;
const MOST_BYTES = 2 ** 50;

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
    "Where this node is, such as `iad`: voters are spread over regions, and the leader is to be near the source.",
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
    "secrets_dir",
    path,
    null,
    "Files in it may be named in the source's settings by who has the admin token; `secrets` in the data " +
      "directory when left out. What this configuration names itself may be used anyway.",
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

  ...CLUSTER_OPTIONS,

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
    "source",
    "keep_connection",
    yesNo,
    true,
    "Each voter keeps one connection to the source logged in: a new leader pulls on it when nobody can log in.",
  ),
  option(
    "source",
    "region",
    label,
    null,
    "Where the source is, such as `iad`: the leader is to be there. Anywhere when left out.",
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
  option(
    "accounts",
    "metadata",
    yesNo,
    false,
    "Let the account ask about the source's tables (SHOW CREATE TABLE, INFORMATION_SCHEMA), for clients " +
      "that read row events. The source's user has to be allowed what is asked.",
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

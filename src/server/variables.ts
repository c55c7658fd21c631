/**
 * System variables that replicas and tools ask for, with the values of a source that binraft is
 * (manual, "Server System Variables"), and of its own source where clients decide by them how to read row
 * events. One table: what is not in it is error 1193, which is how
 * clients find out what a server can do. So semi-sync's variables are not in it.
 */

import type { Checksum } from "../binlog/control-events.ts";
import { formatFileName } from "../binlog/file-view.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import type { SourceValues } from "../mysql/source-values.ts";
import type { BinlogStream } from "./stream.ts";

export type VariableValue =
  | { readonly kind: "text"; readonly value: string | null }
  | { readonly kind: "number"; readonly value: string }
  /** 1 or 0 in a SELECT, ON or OFF in SHOW VARIABLES. */
  | { readonly kind: "boolean"; readonly value: boolean };

export interface VariableContext {
  readonly stream: BinlogStream;
  readonly version: string;
  readonly serverUuid: string;
  readonly serverId: number;
  readonly hostname: string;
  readonly port: number;
  readonly haveTls: boolean;
  readonly requireTls: boolean;
  readonly maxConnections: number;
  /** Of the newest file. */
  readonly checksum: Checksum;
  readonly sourceValues: SourceValues;
}

const text = (value: string | null): VariableValue => ({ kind: "text", value });
const number = (value: number): VariableValue => ({ kind: "number", value: String(value) });
const flag = (value: boolean): VariableValue => ({ kind: "boolean", value });

const SQL_MODE =
  "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION";

/** Null: a server without it. */
type Variable = (context: VariableContext) => VariableValue | null;

/** As the source has it; `unknown` until it said so. */
function ofSource(name: string, unknown: VariableValue): Variable {
  return ({ sourceValues }) => parsed(sourceValues[name], unknown.kind) ?? unknown;
}

/** Not every server has it: as the source has it, or not at all. */
function onlyOfSource(name: string, kind: VariableValue["kind"]): [string, Variable] {
  return [name, ({ sourceValues }) => parsed(sourceValues[name], kind)];
}

function parsed(value: string | undefined, kind: VariableValue["kind"]): VariableValue | null {
  if (value === undefined) return null;
  if (kind === "text") return text(value);
  if (kind === "number") return /^[0-9]{1,20}$/.test(value) ? { kind, value } : null;
  return value === "ON" || value === "OFF" ? flag(value === "ON") : null;
}

const TABLE: ReadonlyMap<string, Variable> = new Map<string, Variable>([
  onlyOfSource("authentication_policy", "text"),
  ["auto_increment_increment", ofSource("auto_increment_increment", number(1))],
  ["auto_increment_offset", ofSource("auto_increment_offset", number(1))],
  ["autocommit", () => flag(true)],
  ["binlog_checksum", (context) => text(context.checksum)],
  ["binlog_encryption", () => flag(false)],
  ["binlog_expire_logs_seconds", ofSource("binlog_expire_logs_seconds", number(0))],
  ["binlog_format", ofSource("binlog_format", text("ROW"))],
  ["binlog_row_image", ofSource("binlog_row_image", text("FULL"))],
  ["binlog_row_metadata", ofSource("binlog_row_metadata", text("MINIMAL"))],
  ["binlog_row_value_options", ofSource("binlog_row_value_options", text(""))],
  onlyOfSource("binlog_rows_query_log_events", "boolean"),
  ["binlog_transaction_compression", ofSource("binlog_transaction_compression", flag(false))],
  ["character_set_client", () => text("utf8mb4")],
  ["character_set_connection", () => text("utf8mb4")],
  ["character_set_database", ofSource("character_set_database", text("utf8mb4"))],
  ["character_set_results", () => text("utf8mb4")],
  ["character_set_server", ofSource("character_set_server", text("utf8mb4"))],
  ["character_set_system", () => text("utf8mb3")],
  ["collation_connection", () => text("utf8mb4_0900_ai_ci")],
  ["collation_database", ofSource("collation_database", text("utf8mb4_0900_ai_ci"))],
  ["collation_server", ofSource("collation_server", text("utf8mb4_0900_ai_ci"))],
  onlyOfSource("default_authentication_plugin", "text"),
  ["default_storage_engine", ofSource("default_storage_engine", text("InnoDB"))],
  ["enforce_gtid_consistency", () => text("ON")],
  onlyOfSource("explicit_defaults_for_timestamp", "boolean"),
  ["foreign_key_checks", () => flag(true)],
  // Their text comes from `gtidVariable`.
  ["gtid_executed", () => text("")],
  ["gtid_mode", () => text("ON")],
  ["gtid_next", () => text("AUTOMATIC")],
  ["gtid_owned", () => text("")],
  ["gtid_purged", () => text("")],
  ["have_openssl", ({ haveTls }) => text(haveTls ? "YES" : "DISABLED")],
  ["have_ssl", ({ haveTls }) => text(haveTls ? "YES" : "DISABLED")],
  ["hostname", ({ hostname }) => text(hostname)],
  ["init_connect", () => text("")],
  ["innodb_version", ({ version }) => text(version)],
  ["interactive_timeout", () => number(28_800)],
  ["license", () => text("Apache-2.0")],
  ["local_infile", () => flag(false)],
  ["log_bin", () => flag(true)],
  ["log_bin_basename", ({ stream }) => text(`/${fileBase(stream)}`)],
  ["log_bin_index", ({ stream }) => text(`/${fileBase(stream)}.index`)],
  ["log_replica_updates", () => flag(true)],
  ["log_slave_updates", () => flag(true)],
  ["lower_case_table_names", ofSource("lower_case_table_names", number(0))],
  ["max_allowed_packet", ofSource("max_allowed_packet", number(67_108_864))],
  ["max_connections", ({ maxConnections }) => number(maxConnections)],
  ["net_buffer_length", () => number(16_384)],
  ["net_read_timeout", () => number(30)],
  ["net_write_timeout", () => number(60)],
  ["performance_schema", () => flag(false)],
  ["port", ({ port }) => number(port)],
  ["protocol_version", () => number(10)],
  ["query_cache_size", () => number(0)],
  ["query_cache_type", () => text("OFF")],
  ["read_only", () => flag(true)],
  ["replica_net_timeout", () => number(60)],
  ["report_host", () => text(null)],
  ["report_port", ({ port }) => number(port)],
  ["require_secure_transport", ({ requireTls }) => flag(requireTls)],
  ["server_id", ({ serverId }) => number(serverId)],
  ["server_uuid", ({ serverUuid }) => text(serverUuid)],
  ["session_track_gtids", () => text("OFF")],
  ["slave_net_timeout", () => number(60)],
  ["sql_log_bin", () => flag(true)],
  ["sql_mode", ofSource("sql_mode", text(SQL_MODE))],
  ["sql_require_primary_key", () => flag(false)],
  ["sql_warnings", () => flag(false)],
  ["super_read_only", () => flag(true)],
  ["sync_binlog", () => number(1)],
  ["system_time_zone", ofSource("system_time_zone", text("UTC"))],
  ["time_zone", ofSource("time_zone", text("SYSTEM"))],
  ["transaction_isolation", ofSource("transaction_isolation", text("REPEATABLE-READ"))],
  ["transaction_read_only", () => flag(false)],
  ["tx_isolation", ofSource("transaction_isolation", text("REPEATABLE-READ"))],
  ["tx_read_only", () => flag(false)],
  ["unique_checks", () => flag(true)],
  ["version", ({ version }) => text(version)],
  ["version_comment", ofSource("version_comment", text("binraft"))],
  ["version_compile_machine", () => text("any")],
  ["version_compile_os", () => text("any")],
  ["wait_timeout", () => number(28_800)],
]);

/** Variables that a client may set for its session, to no effect. */
const ONLY_SET: ReadonlySet<string> = new Set([
  "debug",
  "innodb_lock_wait_timeout",
  "join_buffer_size",
  "lc_messages",
  "lc_time_names",
  "lock_wait_timeout",
  "max_execution_time",
  "optimizer_switch",
  "profiling",
  "resultset_metadata",
  "session_track_schema",
  "session_track_state_change",
  "session_track_system_variables",
  "show_create_table_verbosity",
  "sort_buffer_size",
  "sql_auto_is_null",
  "sql_big_selects",
  "sql_notes",
  "sql_quote_show_create",
  "sql_safe_updates",
  "sql_select_limit",
  "timestamp",
  "tmp_table_size",
]);

/** As SHOW BINARY LOG STATUS and the variables show a set: one uuid a line. */
export function withNewlines(set: string): string {
  return set.replaceAll(",", ",\n");
}

function fileBase(stream: BinlogStream): string {
  const name = stream.files.at(-1)?.name ?? formatFileName("binlog", 1);
  return name.slice(0, name.lastIndexOf("."));
}

/** The set that a variable shows, which may be large: to be made text in pieces. */
export function gtidVariable(name: string, stream: BinlogStream): GtidSet | null {
  const key = name.toLowerCase();
  if (key === "gtid_executed") return stream.executed;
  return key === "gtid_purged" ? stream.purged : null;
}

/** Null for a variable that a 9.7 source with binraft's abilities would not have. */
export function systemVariable(name: string, context: VariableContext): VariableValue | null {
  return TABLE.get(name.toLowerCase())?.(context) ?? null;
}

export function isSettable(name: string): boolean {
  const key = name.toLowerCase();
  return TABLE.has(key) || ONLY_SET.has(key);
}

/** In the order of SHOW VARIABLES; GTID sets are empty, see `gtidVariable`. */
export function allVariables(context: VariableContext): [name: string, value: string][] {
  return [...TABLE].flatMap(([name, variable]) => {
    const value = variable(context);
    return value === null ? [] : [[name, shown(value)]];
  });
}

function shown(value: VariableValue): string {
  if (value.kind === "boolean") return value.value ? "ON" : "OFF";
  return value.value ?? "";
}

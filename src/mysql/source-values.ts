/**
 * System variables of the source that every node shows in its place: clients read from them what row
 * events hold and how table names compare. Replicated by name and value; a node shows what it knows of them.
 */

/** By name, as SHOW GLOBAL VARIABLES writes them. */
export type SourceValues = Readonly<Record<string, string>>;

/** Short ones all: the answer of SHOW GLOBAL VARIABLES is cut off at 1024 characters. */
export const SOURCE_VALUE_NAMES: readonly string[] = [
  "authentication_policy",
  "auto_increment_increment",
  "auto_increment_offset",
  "binlog_expire_logs_seconds",
  "binlog_format",
  "binlog_row_image",
  "binlog_row_metadata",
  "binlog_row_value_options",
  "binlog_rows_query_log_events",
  "binlog_transaction_compression",
  "character_set_database",
  "character_set_server",
  "collation_database",
  "collation_server",
  "default_authentication_plugin",
  "default_storage_engine",
  "explicit_defaults_for_timestamp",
  "lower_case_table_names",
  "max_allowed_packet",
  "sql_mode",
  "system_time_zone",
  "time_zone",
  "transaction_isolation",
  "version_comment",
];

export const MAX_SOURCE_VALUES = 64;
export const MAX_SOURCE_VALUE_LENGTH = 1024;

/** Of all that a server has: the ones that are shown, and of them those that can be kept. */
export function sourceValuesOf(variables: ReadonlyMap<string, string>): SourceValues {
  const values: Record<string, string> = {};
  for (const name of SOURCE_VALUE_NAMES) {
    const value = variables.get(name);
    if (value !== undefined && isPlain(value)) values[name] = value;
  }
  return values;
}

function isPlain(value: string): boolean {
  return value.length <= MAX_SOURCE_VALUE_LENGTH && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(value);
}

export function sameSourceValues(a: SourceValues, b: SourceValues): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

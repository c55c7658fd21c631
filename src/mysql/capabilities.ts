/**
 * Capability flags of the handshake, status flags of OK packets, and the small sets of them that
 * binraft uses (manual, "Capabilities Flags", "SERVER_STATUS_flags_enum"). What counts in a
 * session is what both sides set: client AND server. Flags reach bit 31: sets are unsigned 32-bit.
 */
export const CLIENT_LONG_PASSWORD = 0x1;
export const CLIENT_FOUND_ROWS = 0x2;
export const CLIENT_LONG_FLAG = 0x4;
export const CLIENT_CONNECT_WITH_DB = 0x8;
export const CLIENT_COMPRESS = 0x20;
export const CLIENT_LOCAL_FILES = 0x80;
export const CLIENT_PROTOCOL_41 = 0x200;
export const CLIENT_INTERACTIVE = 0x400;
export const CLIENT_SSL = 0x800;
export const CLIENT_TRANSACTIONS = 0x2000;
export const CLIENT_SECURE_CONNECTION = 0x8000;
export const CLIENT_MULTI_STATEMENTS = 0x1_0000;
export const CLIENT_MULTI_RESULTS = 0x2_0000;
export const CLIENT_PS_MULTI_RESULTS = 0x4_0000;
export const CLIENT_PLUGIN_AUTH = 0x8_0000;
export const CLIENT_CONNECT_ATTRS = 0x10_0000;
export const CLIENT_PLUGIN_AUTH_LENENC = 0x20_0000;
export const CLIENT_SESSION_TRACK = 0x80_0000;
export const CLIENT_DEPRECATE_EOF = 0x100_0000;
export const CLIENT_OPTIONAL_RESULTSET_METADATA = 0x200_0000;
export const CLIENT_ZSTD = 0x400_0000;
export const CLIENT_QUERY_ATTRIBUTES = 0x800_0000;
export const CLIENT_MULTI_FACTOR_AUTH = 0x1000_0000;

export const STATUS_AUTOCOMMIT = 0x0002;
export const STATUS_MORE_RESULTS = 0x0008;
export const STATUS_SESSION_STATE_CHANGED = 0x4000;

/** utf8mb4_0900_ai_ci, what a 9.7 server and client use. */
export const COLLATION_UTF8MB4: number = 255;
/** utf8mb4_general_ci: UTF-8 for every server from 5.6 on, which does not know 255. */
export const COLLATION_UTF8MB4_OLD: number = 45;
/** The charset of numbers and bytes. */
export const COLLATION_BINARY: number = 63;

export function hasFlag(capabilities: number, flag: number): boolean {
  return (capabilities & flag) !== 0;
}

export function combineFlags(...flags: readonly number[]): number {
  let all = 0;
  for (const flag of flags) all |= flag;
  return all >>> 0;
}

/** What both sides have. */
export function commonFlags(a: number, b: number): number {
  return (a & b) >>> 0;
}

/** What the binlog server always offers. No LOCAL_FILES, no MULTI_STATEMENTS, no SESSION_TRACK. */
export const SERVER_CAPABILITIES: number = combineFlags(
  CLIENT_LONG_PASSWORD,
  CLIENT_LONG_FLAG,
  CLIENT_CONNECT_WITH_DB,
  CLIENT_PROTOCOL_41,
  CLIENT_TRANSACTIONS,
  CLIENT_SECURE_CONNECTION,
  CLIENT_MULTI_RESULTS,
  CLIENT_PLUGIN_AUTH,
  CLIENT_CONNECT_ATTRS,
  CLIENT_PLUGIN_AUTH_LENENC,
  CLIENT_DEPRECATE_EOF,
  CLIENT_QUERY_ATTRIBUTES,
);

/** What our client asks for where the server has it. LOCAL_FILES is never asked for. */
export const OUR_CLIENT_CAPABILITIES: number = combineFlags(
  CLIENT_LONG_PASSWORD,
  CLIENT_LONG_FLAG,
  CLIENT_PROTOCOL_41,
  CLIENT_TRANSACTIONS,
  CLIENT_SECURE_CONNECTION,
  CLIENT_PLUGIN_AUTH,
  CLIENT_CONNECT_ATTRS,
  CLIENT_PLUGIN_AUTH_LENENC,
  CLIENT_DEPRECATE_EOF,
);

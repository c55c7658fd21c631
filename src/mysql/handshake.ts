/**
 * The packets of the connection phase, both directions (manual, "Connection Phase Packets").
 *
 *   greeting    0a | version NUL | u32 connection id | scramble 1-8, 00 | u16 capabilities low
 *               u8 collation | u16 status | u16 capabilities high | u8 21 | 10 zeros
 *               scramble 9-20, NUL | plugin NUL
 *   TLS request u32 capabilities | u32 max packet | u8 collation | 23 zeros             (32 bytes)
 *   login       TLS request's 32 bytes | user NUL | auth data | [database NUL] | [plugin NUL]
 *               [lenenc total, { lenenc key, lenenc value }] | [u8 zstd level]
 *   switch      fe | plugin NUL | nonce, NUL
 *   more data   01 | data
 *
 * Real clients leave out what their flags promise (powersync: no plugin name, no attributes): what
 * is missing at the packet's end is taken as empty. A field that has begun must be whole.
 */
import { ByteReader, ByteWriter, MalformedBytes } from "../base/bytes.ts";
import {
  CLIENT_CONNECT_ATTRS,
  CLIENT_CONNECT_WITH_DB,
  CLIENT_PLUGIN_AUTH,
  CLIENT_PLUGIN_AUTH_LENENC,
  CLIENT_PROTOCOL_41,
  CLIENT_SECURE_CONNECTION,
  CLIENT_SSL,
  CLIENT_ZSTD,
  hasFlag,
} from "./capabilities.ts";

export const NONCE_BYTES = 20;
export const TLS_REQUEST_BYTES = 32;
const PROTOCOL_VERSION = 10;
const FILLER_BYTES = 23;

export interface Greeting {
  readonly serverVersion: string;
  readonly connectionId: number;
  /** 20 bytes without NUL. */
  readonly nonce: Uint8Array;
  readonly capabilities: number;
  readonly collation: number;
  readonly status: number;
  /** Empty when the server is too old to name one. */
  readonly authPlugin: string;
}

export interface TlsRequest {
  readonly kind: "tls-request";
  readonly capabilities: number;
  readonly maxPacketBytes: number;
  readonly collation: number;
}

export interface LoginRequest {
  readonly kind: "login";
  readonly capabilities: number;
  readonly maxPacketBytes: number;
  readonly collation: number;
  readonly user: string;
  readonly authData: Uint8Array;
  readonly database: string;
  /** Empty when the client names none. */
  readonly authPlugin: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** 0 when the client sent none. */
  readonly zstdLevel: number;
}

export function encodeGreeting(greeting: Greeting): Uint8Array {
  const { nonce, capabilities } = greeting;
  return new ByteWriter(128)
    .u8(PROTOCOL_VERSION)
    .nulText(greeting.serverVersion)
    .u32(greeting.connectionId)
    .raw(nonce.subarray(0, 8))
    .u8(0)
    .u16(capabilities & 0xffff)
    .u8(greeting.collation)
    .u16(greeting.status)
    .u16(capabilities >>> 16)
    .u8(NONCE_BYTES + 1)
    .zeros(10)
    .raw(nonce.subarray(8, NONCE_BYTES))
    .u8(0)
    .nulText(greeting.authPlugin)
    .finish();
}

export function decodeGreeting(payload: Uint8Array): Greeting {
  const reader = new ByteReader(payload);
  const version = reader.u8("protocol version");
  if (version !== PROTOCOL_VERSION) reader.fail(`protocol version ${version}`);
  const serverVersion = reader.nulText("server version");
  const connectionId = reader.u32("connection id");
  const nonce = new Uint8Array(NONCE_BYTES);
  nonce.set(reader.take(8, "scramble"));
  reader.skip(1, "filler");
  const low = reader.u16("capabilities");
  const collation = reader.u8("collation");
  const status = reader.u16("status");
  const capabilities = (low | (reader.u16("capabilities") << 16)) >>> 0;
  reader.skip(11, "reserved bytes");
  nonce.set(reader.take(NONCE_BYTES - 8, "scramble"), 8);
  reader.skip(1, "end of the scramble");
  let authPlugin = "";
  if (hasFlag(capabilities, CLIENT_PLUGIN_AUTH)) authPlugin = textToNulOrEnd(reader, "plugin");
  return { serverVersion, connectionId, nonce, capabilities, collation, status, authPlugin };
}

export function encodeTlsRequest(request: Omit<TlsRequest, "kind">): Uint8Array {
  return loginPrefix(request.capabilities, request.maxPacketBytes, request.collation).finish();
}

export function encodeLogin(login: Omit<LoginRequest, "kind">): Uint8Array {
  const { capabilities } = login;
  const writer = loginPrefix(capabilities, login.maxPacketBytes, login.collation);
  writer.nulText(login.user);
  if (hasFlag(capabilities, CLIENT_PLUGIN_AUTH_LENENC)) writer.lenencBytes(login.authData);
  else writer.u8(login.authData.length).raw(login.authData);
  if (hasFlag(capabilities, CLIENT_CONNECT_WITH_DB)) writer.nulText(login.database);
  if (hasFlag(capabilities, CLIENT_PLUGIN_AUTH)) writer.nulText(login.authPlugin);
  if (hasFlag(capabilities, CLIENT_CONNECT_ATTRS)) {
    const attributes = new ByteWriter(128);
    for (const [key, value] of login.attributes) attributes.lenencText(key).lenencText(value);
    writer.lenencBytes(attributes.finish());
  }
  if (hasFlag(capabilities, CLIENT_ZSTD)) writer.u8(login.zstdLevel);
  return writer.finish();
}

/** The client's first packet; a login packet also comes after a TLS request. */
export function decodeLoginOrTlsRequest(payload: Uint8Array): TlsRequest | LoginRequest {
  const reader = new ByteReader(payload);
  const capabilities = reader.u32("capabilities");
  const maxPacketBytes = reader.u32("max packet");
  const collation = reader.u8("collation");
  reader.skip(FILLER_BYTES, "reserved bytes");
  if (!hasFlag(capabilities, CLIENT_PROTOCOL_41)) {
    throw new MalformedBytes("the client is older than protocol 4.1", 0);
  }
  if (payload.length === TLS_REQUEST_BYTES && hasFlag(capabilities, CLIENT_SSL)) {
    return { kind: "tls-request", capabilities, maxPacketBytes, collation };
  }
  const user = reader.nulText("user");
  const authData = readAuthData(reader, capabilities);
  const withDatabase = hasFlag(capabilities, CLIENT_CONNECT_WITH_DB) && reader.remaining > 0;
  const database = withDatabase ? reader.nulText("database") : "";
  const withPlugin = hasFlag(capabilities, CLIENT_PLUGIN_AUTH);
  const authPlugin = withPlugin ? textToNulOrEnd(reader, "plugin") : "";
  const withAttributes = hasFlag(capabilities, CLIENT_CONNECT_ATTRS) && reader.remaining > 0;
  const attributes = withAttributes ? readAttributes(reader) : new Map<string, string>();
  const withLevel = hasFlag(capabilities, CLIENT_ZSTD) && reader.remaining > 0;
  const zstdLevel = withLevel ? reader.u8("zstd level") : 0;
  return {
    kind: "login",
    capabilities,
    maxPacketBytes,
    collation,
    user,
    authData,
    database,
    authPlugin,
    attributes,
    zstdLevel,
  };
}

export function encodeAuthSwitch(plugin: string, nonce: Uint8Array): Uint8Array {
  return new ByteWriter(64).u8(0xfe).nulText(plugin).raw(nonce).u8(0).finish();
}

/** `fe` alone is the request for the password format of MySQL 3; its plugin name is empty here. */
export function decodeAuthSwitch(payload: Uint8Array): { plugin: string; nonce: Uint8Array } {
  const reader = new ByteReader(payload, 1);
  if (reader.remaining === 0) return { plugin: "", nonce: new Uint8Array(0) };
  const plugin = reader.nulText("plugin");
  const rest = reader.rest();
  const ended = rest.length > 0 && rest[rest.length - 1] === 0;
  return { plugin, nonce: ended ? rest.subarray(0, rest.length - 1) : rest };
}

export function encodeMoreData(data: Uint8Array): Uint8Array {
  return new ByteWriter(data.length + 1).u8(1).raw(data).finish();
}

function loginPrefix(capabilities: number, maxPacketBytes: number, collation: number): ByteWriter {
  return new ByteWriter(256)
    .u32(capabilities)
    .u32(maxPacketBytes)
    .u8(collation)
    .zeros(FILLER_BYTES);
}

function readAuthData(reader: ByteReader, capabilities: number): Uint8Array {
  if (hasFlag(capabilities, CLIENT_PLUGIN_AUTH_LENENC)) return reader.lenencBytes("auth data");
  if (hasFlag(capabilities, CLIENT_SECURE_CONNECTION)) {
    return reader.take(reader.u8("length of the auth data"), "auth data");
  }
  return reader.nulBytes("auth data");
}

function readAttributes(reader: ByteReader): Map<string, string> {
  const bytes = reader.lenencBytes("connection attributes");
  const inner = new ByteReader(bytes);
  const attributes = new Map<string, string>();
  while (inner.remaining > 0) {
    const key = inner.lenencText("attribute name");
    attributes.set(key, inner.lenencText("attribute value"));
  }
  return attributes;
}

/** Some versions leave out the NUL at the packet's end. */
function textToNulOrEnd(reader: ByteReader, what: string): string {
  const at = reader.bytes.indexOf(0, reader.offset);
  if (at >= 0 && at < reader.end) return reader.nulText(what);
  return reader.text(reader.remaining, what);
}

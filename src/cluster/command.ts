/**
 * Entries that are not chunks: what operators and the syncer decide, in the log so that every
 * node and every restart decides the same. u8 kind = 2 · u8 format = 2 · a value (base/packed.ts).
 *
 * What is committed is applied on every node, so decoding is total: what is no command of a type that this
 * version knows is passed over, on all nodes alike. A type or a format that it does not know stops it.
 */
import { BinraftError } from "../base/errors.ts";
import { printable } from "../base/logger.ts";
import { decodePacked, encodePacked } from "../base/packed.ts";
import type { SourceValues } from "../mysql/source-values.ts";
import { commandOf, isKnownType } from "./command-shapes.ts";
import type { Announcement } from "./members.ts";
import type { PlacementSettings } from "./policies.ts";

export const COMMAND_KIND = 2;
/** 1 was JSON. */
const COMMAND_FORMAT = 2;

/** Where the binlog comes from. Passwords are references: `file:PATH` or `env:NAME`. */
export interface SourceSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly passwordRef: string | null;
  readonly tls: "disabled" | "verify-ca" | "verify-identity";
  readonly tlsCa: string | null;
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  readonly publicKeyFile: string | null;
  readonly semiSync: boolean;
  readonly serverId: number;
  readonly nativePassword: boolean;
  /** Each voter keeps one connection logged in. */
  readonly keepConnection: boolean;
  /** Where it is, and so the leader is to be; null: nobody said. */
  readonly region: string | null;
}

/** What a password is checked against; never shown. Hex. */
export interface AccountSettings {
  readonly sha2: string;
  readonly native: string | null;
  /** May ask about the source's tables. Of format 3 on. */
  readonly metadata?: boolean | undefined;
}

/** Of whole binlog files; null is no bound. */
export interface RetentionSettings {
  readonly bytes: number | null;
  readonly hours: number | null;
}

export type Command =
  /** At the attach of a log that stored nothing: the source's purged set becomes ours. */
  | { readonly type: "start"; readonly purged: string }
  | { readonly type: "accept-gap"; readonly gtids: string }
  /** The operator vouches that a source which purged our last transaction had the same one. */
  | { readonly type: "accept-unproved" }
  | { readonly type: "new-timeline" }
  | { readonly type: "purge"; readonly firstKept: string }
  | { readonly type: "set-source"; readonly source: SourceSettings }
  /** `because` and `met` when it is stopped since another cluster was met (other-clusters.ts). */
  | {
      readonly type: "set-syncer";
      readonly wanted: "running" | "stopped";
      readonly because?: string;
      readonly met?: string;
    }
  | { readonly type: "set-account"; readonly name: string; readonly account: AccountSettings }
  | { readonly type: "remove-account"; readonly name: string }
  | { readonly type: "announce"; readonly id: number; readonly announcement: Announcement }
  | { readonly type: "set-server"; readonly id: number; readonly wanted: "running" | "stopped" }
  | { readonly type: "set-retention"; readonly retention: RetentionSettings }
  /** Of format 2 on: where voters and leader are to be, and how long a heartbeat is. */
  | { readonly type: "set-placement"; readonly placement: PlacementSettings }
  | { readonly type: "set-timing"; readonly heartbeatMs: number }
  /** Of format 3 on: what the source says of itself. */
  | { readonly type: "set-source-values"; readonly values: SourceValues }
  /** All members can read this format of the log: from here on it may be written. */
  | { readonly type: "set-format"; readonly version: number };

export function encodeCommand(command: Command): Uint8Array {
  const value = encodePacked(command);
  const out = new Uint8Array(2 + value.length);
  out[0] = COMMAND_KIND;
  out[1] = COMMAND_FORMAT;
  out.set(value, 2);
  return out;
}

export function isCommand(payload: Uint8Array): boolean {
  return payload.length > 0 && payload[0] === COMMAND_KIND;
}

/** What an entry holds that this version does not know: it must not be skipped. */
export function unknownEntry(what: string): BinraftError {
  return new BinraftError(
    "BR1202",
    `The log has ${what}, which this binraft does not know`,
    "start this node with the version that the other nodes run",
  );
}

/** Null: nothing, whoever wrote it. Throws BinraftError for a format or a type that it does not know. */
export function decodeCommand(payload: Uint8Array): Command | null {
  if (payload[1] !== COMMAND_FORMAT) throw unknownEntry(`a command of format ${payload[1]}`);
  let value: unknown;
  try {
    value = decodePacked(payload.subarray(2));
  } catch {
    return null;
  }
  const type = (value as { readonly type?: unknown } | null)?.type;
  if (typeof type !== "string") return null;
  if (!isKnownType(type)) throw unknownEntry(`a command "${printable(type, 64)}"`);
  return commandOf({ ...(value as object), type });
}

/**
 * User variables of one session (`SET @x = …`): how a replica tells what it wants of the stream.
 * A source and a replica of another age use other names for the same thing, and a 9.7 replica
 * sets both; either counts. Bounded: a client can fill only so much.
 */
import type { Checksum } from "../binlog/control-events.ts";
import { otherError } from "../mysql/errors.ts";
import type { ClientShare } from "./client-budget.ts";
import { NULL, textOf, type Value } from "./value.ts";

const MAX_VARIABLES = 64;
const MAX_VALUE_LENGTH = 64 * 1024;
/** A shorter period than that is a flood. */
const MIN_HEARTBEAT_MS = 10;
const MAX_HEARTBEAT_MS = 24 * 60 * 60 * 1000;

/** Beside its text: the entry and its name. */
const ENTRY_BYTES = 256;

export class UserVariables {
  readonly #values = new Map<string, Value>();
  readonly #share: Pick<ClientShare, "hold" | "release">;

  constructor(share: Pick<ClientShare, "hold" | "release">) {
    this.#share = share;
  }

  /** As text; null for NULL and for one that was never set. */
  get(name: string): string | null {
    return textOf(this.valueOf(name));
  }

  valueOf(name: string): Value {
    return this.#values.get(name.toLowerCase()) ?? NULL;
  }

  set(name: string, value: Value): void {
    const key = name.toLowerCase();
    if (this.#values.size >= MAX_VARIABLES && !this.#values.has(key)) {
      throw otherError(`More than ${MAX_VARIABLES} user variables`);
    }
    if (key.length > 64 || lengthOf(value) > MAX_VALUE_LENGTH) {
      throw otherError("User variable is too long");
    }
    const old = this.#values.get(key);
    const before = old === undefined ? 0 : heldBytes(old);
    this.#share.hold(heldBytes(value) - before);
    this.#share.release(before - heldBytes(value));
    this.#values.set(key, value);
  }

  clear(): void {
    for (const value of this.#values.values()) this.#share.release(heldBytes(value));
    this.#values.clear();
  }

  #either(first: string, second: string): string | null {
    return this.get(first) ?? this.get(second);
  }

  /** The replica's server_uuid in lower case; empty when it named none. */
  get replicaUuid(): string {
    return (this.#either("replica_uuid", "slave_uuid") ?? "").slice(0, 64).toLowerCase();
  }

  /** Nanoseconds in the variable; 0 when no heartbeats are wanted. */
  get heartbeatMs(): number {
    const text = this.#either("source_heartbeat_period", "master_heartbeat_period") ?? "0";
    const nanoseconds = Number(text);
    if (!Number.isFinite(nanoseconds) || nanoseconds <= 0) return 0;
    return Math.min(MAX_HEARTBEAT_MS, Math.max(MIN_HEARTBEAT_MS, nanoseconds / 1e6));
  }

  /** Null: the client knows no checksums. Any other value than CRC32 means it knows them. */
  get checksum(): Checksum | null {
    const value = this.#either("source_binlog_checksum", "master_binlog_checksum");
    if (value === null) return null;
    return value.toUpperCase() === "CRC32" ? "CRC32" : "NONE";
  }

  /** A MariaDB replica: its dump flag 2 asks for row annotations, not for heartbeats v2. */
  get isMariadb(): boolean {
    return this.get("mariadb_slave_capability") !== null;
  }
}

function heldBytes(value: Value): number {
  return ENTRY_BYTES + 2 * lengthOf(value);
}

function lengthOf(value: Value): number {
  return value.kind === "text" ? value.value.length : 0;
}

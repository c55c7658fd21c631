/**
 * Who reads the stream right now, and the rule for two dumps of one replica (manual,
 * "COM_BINLOG_DUMP"): of two with the same server_uuid, or without uuids the same server_id, the
 * newer wins and the older is told with MySQL's 1236. A real replica that lost its connection
 * thus gets rid of its own ghost; two replicas that share a uuid throw each other out for ever,
 * which is why more than three take-overs a minute are reported and slowed down.
 *
 * Unlike at a source, the newer wins within one account only: who knows nothing but a uuid must
 * not be able to stop the replica of somebody else. The newcomer is refused with an error that
 * lets it try again, and the replica that runs goes on. Without uuids both may read.
 */
import { type Logger, printable } from "../base/logger.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import { otherError } from "../mysql/errors.ts";
import { delay } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import { AbsentReplicas } from "./absent-replicas.ts";
import type { Dump } from "./dump.ts";
import type { BinlogStream } from "./stream.ts";

const WINDOW_MS = 60_000;
const CALM_TAKE_OVERS = 3;
const DELAY_MS = 10_000;
const MAX_HISTORIES = 4096;
const MAX_DUPLICATES = 64;

/** A connection that has begun to dump. */
export interface ReplicaConnection {
  readonly connectionId: number;
  readonly serverId: number;
  /** Empty when the client named none. */
  readonly uuid: string;
  /** "host:port" of its end of the connection. */
  readonly address: string;
  readonly account: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** As it registered; empty when it did not. */
  readonly reportHost: string;
  readonly reportPort: number;
  readonly tls: boolean;
  readonly compression: string | null;
  /** Wall clock. */
  readonly sinceMs: number;
  readonly dump: Dump;
}

/** Two replicas with one server_uuid, as it was seen last. */
export interface DuplicateUuid {
  readonly uuid: string;
  /** "host:port" of the one that was there, and of the one that came. */
  readonly older: string;
  readonly newer: string;
  /** Of another account, which was refused; else they throw each other out. */
  readonly refused: boolean;
  readonly times: number;
  /** Wall clock, of the last time. */
  readonly seenMs: number;
}

/** What is shown of a replica; plain values. */
export interface ReplicaStatus {
  readonly connectionId: number;
  readonly serverId: number;
  readonly uuid: string;
  readonly address: string;
  readonly account: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly reportHost: string;
  readonly reportPort: number;
  readonly tls: boolean;
  readonly compression: string | null;
  readonly mode: "gtid" | "file";
  readonly file: string;
  readonly position: number;
  readonly sentBytes: number;
  /** Event bytes of the stream not sent yet; null before it has begun. */
  readonly lagBytes: number | null;
  /** Transactions not sent yet, to the accuracy of the stream's index (about 1 MiB). */
  readonly lagTransactions: bigint | null;
  readonly caughtUp: boolean;
  readonly sinceMs: number;
}

export class ReplicaRegistry {
  readonly #platform: Pick<Platform, "clock">;
  readonly #logger: Logger;
  readonly #stream: BinlogStream;
  readonly #connections = new Map<number, ReplicaConnection>();
  readonly #absent: AbsentReplicas;
  readonly #takeOvers = new Map<string, number[]>();
  readonly #duplicates = new Map<string, DuplicateUuid>();
  /** Take-overs that were slowed down, ever. */
  alarms = 0;

  constructor(platform: Pick<Platform, "clock">, logger: Logger, stream: BinlogStream) {
    this.#platform = platform;
    this.#logger = logger;
    this.#stream = stream;
    this.#absent = new AbsentReplicas(platform.clock);
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Server_uuids that two replicas have, the latest last. */
  duplicates(): DuplicateUuid[] {
    return [...this.#duplicates.values()];
  }

  /** Throws when the uuid is in use by a replica of another account. */
  checkOwner({
    uuid,
    account,
    address,
  }: Pick<ReplicaConnection, "uuid" | "account" | "address">): void {
    if (uuid === "") return;
    for (const other of this.#connections.values()) {
      if (other.uuid !== uuid || other.account === account) continue;
      const times = this.#noteDuplicate(uuid, other.address, address, true);
      const fields = { replica: uuid, newer: address, older: other.address };
      // Who is refused tries again and again: a line for each doubling says enough.
      if ((times & (times - 1)) === 0) {
        this.#logger.error(
          "A replica with the server_uuid of another account's replica is refused: give one another uuid (delete its auto.cnf and restart it)",
          { ...fields, times },
        );
      }
      throw otherError(
        `Replica's server_uuid ${printable(uuid, 64)} is in use by a replica of another account, which goes on: give this replica another server_uuid (delete its auto.cnf and restart it), or let both log in as one account`,
      );
    }
  }

  #noteDuplicate(uuid: string, older: string, newer: string, refused: boolean): number {
    const times = (this.#duplicates.get(uuid)?.times ?? 0) + 1;
    this.#duplicates.delete(uuid);
    const seenMs = this.#platform.clock.wall();
    this.#duplicates.set(uuid, { uuid, older, newer, refused, times, seenMs });
    if (this.#duplicates.size > MAX_DUPLICATES) {
      const oldest = this.#duplicates.keys().next().value;
      if (oldest !== undefined) this.#duplicates.delete(oldest);
    }
    return times;
  }

  /** Takes a dump in; an older one of the same replica is stopped. May wait when it happens often. */
  async enter(connection: ReplicaConnection, closed: AbortSignal): Promise<void> {
    this.checkOwner(connection);
    const older = this.#olderOf(connection);
    if (older !== null) {
      await this.#calm(connection, older, closed);
      if (closed.aborted) return;
      this.checkOwner(connection);
      // It may be another one after the wait.
      for (const same of this.#connections.values()) {
        if (isSame(same, connection)) same.dump.stop("same-replica");
      }
    }
    this.#connections.set(connection.connectionId, connection);
  }

  leave(connectionId: number): void {
    const connection = this.#connections.get(connectionId);
    if (connection === undefined) return;
    this.#connections.delete(connectionId);
    const { uuid, dump } = connection;
    // Who asked for an end has read to it, and is a tool that waits for nothing.
    if (!dump.options.nonBlock) this.#absent.left(uuid, dump.trail);
  }

  #olderOf(connection: ReplicaConnection): ReplicaConnection | null {
    // server_id 0 is a tool that reads to the end: several may.
    if (connection.uuid === "" && connection.serverId === 0) return null;
    for (const other of this.#connections.values()) {
      if (isSame(other, connection)) return other;
    }
    return null;
  }

  async #calm(
    connection: ReplicaConnection,
    older: ReplicaConnection,
    closed: AbortSignal,
  ): Promise<void> {
    const { uuid, serverId, account } = connection;
    const identity = uuid === "" ? `server_id ${serverId} of ${account}` : uuid;
    const now = this.#platform.clock.mono();
    const recent = (this.#takeOvers.get(identity) ?? []).filter((at) => now - at < WINDOW_MS);
    recent.push(now);
    this.#takeOvers.delete(identity);
    this.#takeOvers.set(identity, recent.slice(-CALM_TAKE_OVERS - 1));
    if (this.#takeOvers.size > MAX_HISTORIES) {
      const oldest = this.#takeOvers.keys().next().value;
      if (oldest !== undefined) this.#takeOvers.delete(oldest);
    }
    const fields = { replica: identity, newer: connection.address, older: older.address };
    if (recent.length <= CALM_TAKE_OVERS) {
      this.#logger.info("Replica connected again: its older connection is closed", fields);
      return;
    }
    this.alarms++;
    this.#noteDuplicate(identity, older.address, connection.address, false);
    this.#logger.error(
      "Two replicas have one server_uuid and throw each other out: give one another uuid (delete its auto.cnf and restart it)",
      fields,
    );
    await delay(this.#platform.clock, DELAY_MS, closed);
  }

  list(): ReplicaStatus[] {
    return [...this.#connections.values()].map((connection) => this.#status(connection));
  }

  #status(connection: ReplicaConnection): ReplicaStatus {
    const { dump, attributes, ...rest } = connection;
    const { file, position } = dump.place;
    const { gtids } = dump.options.request;
    const offset = dump.streamOffset;
    const lagBytes = offset === null ? null : Math.max(0, this.#stream.visibleEnd - offset);
    return {
      ...rest,
      attributes: Object.fromEntries(attributes),
      mode: gtids === null ? "file" : "gtid",
      file,
      position,
      sentBytes: dump.sentBytes,
      lagBytes,
      lagTransactions: this.#lagTransactions(dump.entry, lagBytes, gtids),
      caughtUp: dump.caughtUp,
    };
  }

  /** Counted over the marks from the reader on, less what the replica came with. */
  #lagTransactions(
    entry: number | null,
    lagBytes: number | null,
    gtids: GtidSet | null,
  ): bigint | null {
    if (entry === null || lagBytes === null) return null;
    if (lagBytes === 0) return 0n;
    const { marks } = this.#stream;
    let count = 0n;
    for (let i = marks.length - 1; i >= 0; i--) {
      const set = marks[i]!.gtids;
      count += (gtids === null ? set : set.subtract(gtids)).count();
      if (marks[i]!.entry <= entry) break;
    }
    return count;
  }

  /** Closes the dumps of a replica; it will connect again. Returns how many there were. */
  kick(uuid: string): number {
    let count = 0;
    for (const { uuid: found, dump } of this.#connections.values()) {
      if (found !== uuid) continue;
      dump.stop("close");
      count++;
    }
    return count;
  }

  /**
   * The oldest entry that purge must keep: for those that read, and for those that left no longer
   * ago than `absentMs`. Infinity when there are none.
   */
  neededFrom(absentMs: number): number {
    for (const { uuid, dump } of this.#connections.values()) {
      if (dump.entry !== null) this.#absent.isBack(uuid);
    }
    const none = Number.POSITIVE_INFINITY;
    return Math.min(this.slowest()?.entry ?? none, this.#absent.oldest(absentMs) ?? none);
  }

  /** The connected reader that is furthest back. Null when nobody reads. */
  slowest(): { entry: number; uuid: string; address: string } | null {
    let slowest: { entry: number; uuid: string; address: string } | null = null;
    for (const { uuid, address, dump } of this.#connections.values()) {
      const entry = dump.entry;
      if (entry === null || (slowest !== null && entry >= slowest.entry)) continue;
      slowest = { entry, uuid, address };
    }
    return slowest;
  }
}

function isSame(a: ReplicaConnection, b: ReplicaConnection): boolean {
  if (a.account !== b.account) return false;
  if (b.uuid !== "") return a.uuid === b.uuid;
  return a.uuid === "" && b.serverId !== 0 && a.serverId === b.serverId;
}

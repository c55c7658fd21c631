/**
 * A connection on which a dump runs: what must be said before it, the dump command, and events
 * read one by one while the attach looks at them. Then the stream is taken over as bytes.
 */
import { ByteReader } from "../base/bytes.ts";
import {
  type Checksum,
  decodeHeartbeat,
  decodeRotate,
  type Heartbeat,
} from "../binlog/control-events.ts";
import {
  EVENT_HEADER_BYTES,
  EventFlag,
  EventType,
  eventFlags,
  eventSize,
  eventType,
} from "../binlog/event.ts";
import { encodeGtidSet } from "../gtid/binary.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import type { MysqlClient } from "../mysql/client.ts";
import {
  DUMP_HEARTBEAT_V2,
  DUMP_NON_BLOCK,
  encodeDump,
  encodeDumpGtid,
  encodeRegister,
} from "../mysql/commands.ts";
import { decodeErr } from "../mysql/response.ts";
import { encodeSemiSyncAck } from "../mysql/semi-sync.ts";
import { StreamError } from "./stream-error.ts";

export const HEARTBEAT_MS = 5_000;

export interface DumpOptions {
  readonly serverId: number;
  readonly serverUuid: string;
  readonly semiSync: boolean;
}

/** Decides only about a dump's first event: for all others the file's own description counts. */
const ANNOUNCED = "CRC32";
const announcing = (side: string): string => `@${side}_binlog_checksum = '${ANNOUNCED}'`;
export const ANNOUNCE_CHECKSUM: string = `SET ${announcing("master")}, ${announcing("source")}`;

/**
 * What must be said before a dump, in both spellings: sources before 8.0.26 know only the old ones.
 * One statement: from another continent each takes long. It names no variable of the source, for
 * that may wait for a lock that a commit holds.
 */
function sayBeforeDump({ serverUuid, semiSync }: Omit<DumpOptions, "serverId">): string {
  const ns = HEARTBEAT_MS * 1_000_000;
  return [
    `${ANNOUNCE_CHECKSUM}, @master_heartbeat_period = ${ns}, @source_heartbeat_period = ${ns}`,
    `@slave_uuid = '${serverUuid}', @replica_uuid = '${serverUuid}'`,
    ...(semiSync ? ["@rpl_semi_sync_replica = 1, @rpl_semi_sync_slave = 1"] : []),
  ].join(", ");
}

/**
 * Says all that comes before a dump, and registers, which SHOW REPLICAS shows. Registering waits for the
 * lock of the accounts, as a login does; a dump does not.
 */
export async function prepareDump(
  client: MysqlClient,
  { serverId, ...options }: DumpOptions,
): Promise<void> {
  await client.execute(sayBeforeDump(options));
  await client.command(encodeRegister({ serverId, host: "", user: "", port: 0 }));
}

/** More than the largest event that the attach reads whole. */
const MAX_EVENT_PAYLOAD = 17 * 1024 * 1024;

/** Who wants to know that something came. */
export interface Listener {
  heard(): void;
}

export class DumpConnection {
  readonly client: MysqlClient;
  readonly semiSync: boolean;
  readonly #listener: Listener;
  constructor(client: MysqlClient, semiSync: boolean, listener: Listener) {
    this.client = client;
    this.semiSync = semiSync;
    this.#listener = listener;
  }

  /** A dump of named file from its start without the transactions in `gtids`. */
  startGtidDump(serverId: number, file: string, gtids: GtidSet, nonBlock: boolean): void {
    const flags = DUMP_HEARTBEAT_V2 | (nonBlock ? DUMP_NON_BLOCK : 0);
    const set = encodeGtidSet(gtids, "auto");
    const command = { flags, serverId, file, position: 4n, gtids: set };
    this.#start(encodeDumpGtid(command));
  }

  startFileDump(serverId: number, file: string, position: number): void {
    this.#start(encodeDump({ flags: DUMP_NON_BLOCK, serverId, file, position }));
  }

  #start(command: Uint8Array): void {
    const { connection } = this.client;
    connection.maxPayloadBytes = MAX_EVENT_PAYLOAD;
    connection.writeCommand(command);
  }

  /** The next event and the payload it came in; null at EOF. Throws the server's MysqlError. */
  async nextEvent(): Promise<{ event: Uint8Array; payload: Uint8Array } | null> {
    const { connection } = this.client;
    const payload = await connection.readPacket();
    this.#listener.heard();
    const reader = new ByteReader(payload);
    const status = reader.u8("packet status");
    if (status === 0xff) throw decodeErr(payload);
    if (status === 0xfe && payload.length < 9) return null;
    if (status !== 0) throw new StreamError("malformed", `Packet begins with ${status}`);
    if (this.semiSync) {
      if (reader.u8("semi-sync magic") !== 0xef) {
        throw new StreamError("malformed", "Packet without semi-sync header");
      }
      // Behind a packet that wants an ACK the source numbers from 1 again.
      if (reader.u8("semi-sync flag") === 1) connection.sequence = 1;
    }
    const event = reader.rest();
    if (event.length < EVENT_HEADER_BYTES || eventSize(event) !== event.length) {
      throw new StreamError("malformed", `Event of ${event.length} bytes`);
    }
    return { event, payload };
  }

  /** The fake rotate that every dump begins with: which file, where. */
  async startFile(): Promise<{ file: string; position: number }> {
    const first = await this.nextEvent();
    if (first === null || eventType(first.event) !== EventType.ROTATE) {
      throw new StreamError("malformed", "A dump must begin with a rotate event");
    }
    if ((eventFlags(first.event) & EventFlag.ARTIFICIAL) === 0) {
      throw new StreamError("malformed", "A dump must begin with an artificial rotate event");
    }
    return decodeRotate(first.event, ANNOUNCED);
  }

  /** Null for any other event. */
  heartbeat(event: Uint8Array, checksum: Checksum): Heartbeat | null {
    const type = eventType(event);
    if (type !== EventType.HEARTBEAT && type !== EventType.HEARTBEAT_V2) return null;
    return decodeHeartbeat(event, checksum);
  }

  ack(file: string, position: number): void {
    this.client.connection.writeCommand(encodeSemiSyncAck({ file, position }));
  }
}

/**
 * Errors as MySQL clients see them: number, SQL state and the exact text of a 9.7 server, because
 * replicas and tools act on them and operators search for them (manual, "Server Error Message
 * Reference"). One function per error; the server sends no text that is not made here.
 *
 * Of all answers to a dump command only 1236 makes a replica stop for good. Nothing that can pass
 * (not ready, leader moved) may be sent as 1236: close the connection instead.
 */
import { decodeText, encodeText } from "../base/bytes.ts";

/** A server cuts every message at this many bytes. */
export const MESSAGE_MAX_BYTES = 511;

export class MysqlError extends Error {
  readonly errno: number;
  readonly sqlState: string;
  constructor(errno: number, sqlState: string, message: string) {
    super(cutMessage(message));
    this.name = "MysqlError";
    this.errno = errno;
    this.sqlState = sqlState;
  }
}

/** Cut at 511 bytes as a server does, but never inside a character. */
export function cutMessage(message: string): string {
  const bytes = encodeText(message);
  if (bytes.length <= MESSAGE_MAX_BYTES) return message;
  let end = MESSAGE_MAX_BYTES;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return decodeText(bytes.subarray(0, end));
}

/** 1236, "got fatal error from source": the replica stops until START REPLICA. */
export function fatalDumpError(message: string): MysqlError {
  return new MysqlError(1236, "HY000", message);
}

/** What a server appends to a 1236 that is raised after the first file was opened. */
export interface DumpPlace {
  /** As the client asked: the name may be empty. */
  readonly startFile: string;
  readonly startPosition: number;
  readonly file: string;
  readonly lastEventEnd: number;
  readonly lastByteEnd: number;
}

export function fatalDumpErrorAt(message: string, place: DumpPlace): MysqlError {
  const { startFile, startPosition, file, lastEventEnd, lastByteEnd } = place;
  return fatalDumpError(
    `${message}; the first event '${startFile}' at ${startPosition}, the last event read from './${file}' at ${lastEventEnd}, the last byte read from './${file}' at ${lastByteEnd}.`,
  );
}

const PURGED =
  "Cannot replicate because the source purged required binary logs. Replicate the missing transactions from elsewhere, or provision a new replica from backup. Consider increasing the source's binary log expiration period.";
const PURGED_AND_LONG = `${PURGED} The GTID sets and the missing purged transactions are too long to print in this message. For more information, please see the source's error log or the manual for GTID_SUBTRACT`;

/** The replica needs transactions that were purged. Both sets as text, null for one that is too long. */
export function purgedGtids(sent: string | null, missing: string | null): MysqlError {
  if (sent === null || missing === null) return fatalDumpError(PURGED_AND_LONG);
  const full = `${PURGED} The GTID set sent by the replica is '${sent}', and the missing transactions are '${missing}'`;
  // A server's buffer is one byte longer than what it sends.
  if (encodeText(full).length <= MESSAGE_MAX_BYTES + 1) return fatalDumpError(full);
  return fatalDumpError(PURGED_AND_LONG);
}

/** The replica has GTIDs of a source's uuid that this server never had. ("the the" is MySQL's.) */
export function moreGtids(): MysqlError {
  return fatalDumpError(
    "Replica has more GTIDs than the source has, using the source's SERVER_UUID. This may indicate that the the last binary log file was truncated or lost, e.g., after a power failure when sync_binlog != 1. The source may have rolled back transactions that were already replicated to the replica. Replicate any transactions that source has rolled back from replica to source, and/or commit empty transactions on source to account for transactions that have been committed on source but are not included in GTID_EXECUTED.",
  );
}

export function unknownFirstFile(): MysqlError {
  return fatalDumpError("Could not find first log file name in binary log index file");
}

export function positionBelowFour(): MysqlError {
  return fatalDumpError("Client requested source to start replication from position < 4");
}

export function positionBeyondFile(): MysqlError {
  return fatalDumpError("Client requested source to start replication from position > file size");
}

/** To the older of two dumps with the same server_uuid (or server_id, without uuids). */
export function sameReplica(place: DumpPlace): MysqlError {
  return fatalDumpErrorAt(
    "A replica with the same server_uuid/server_id as this replica has connected to the source",
    place,
  );
}

/** The client announced no checksums and the files have them. */
export function replicaCannotChecksum(place: DumpPlace): MysqlError {
  return fatalDumpErrorAt(
    "Replica can not handle replication events with the checksum that source is configured to log",
    place,
  );
}

/** An ANONYMOUS_GTID event was met in a GTID dump. */
export function anonymousInGtidDump(position: number, place: DumpPlace): MysqlError {
  return fatalDumpErrorAt(
    `Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file ./${place.file}, position ${position}.`,
    place,
  );
}

export function malformedGtidSet(): MysqlError {
  return new MysqlError(1773, "HY000", "Malformed GTID set encoding.");
}

/** For GTID text in a statement; `detail` says what is wrong with it. */
export function malformedGtidText(detail: string): MysqlError {
  return new MysqlError(1772, "HY000", `Malformed GTID set specification '${detail}'.`);
}

export function malformedPacket(): MysqlError {
  return new MysqlError(1835, "HY000", "Malformed communication packet.");
}

/** Bytes that are no command: nothing that follows them can be trusted to be one. */
export function isMalformed(error: MysqlError): boolean {
  return error.errno === 1835 || error.errno === 1773;
}

export function badHandshake(): MysqlError {
  return new MysqlError(1043, "08S01", "Bad handshake");
}

export function packetsOutOfOrder(): MysqlError {
  return new MysqlError(1156, "08S01", "Got packets out of order");
}

export function packetTooLarge(): MysqlError {
  return new MysqlError(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes");
}

/** Wrong password and unknown user look the same. `host` is an address without the port. */
export function accessDenied(user: string, host: string, usedPassword: boolean): MysqlError {
  const word = usedPassword ? "YES" : "NO";
  return new MysqlError(
    1045,
    "28000",
    `Access denied for user '${user}'@'${host}' (using password: ${word})`,
  );
}

export function missingPrivilege(privileges: string): MysqlError {
  return new MysqlError(
    1227,
    "42000",
    `Access denied; you need (at least one of) the ${privileges} privilege(s) for this operation`,
  );
}

export function databaseDenied(user: string, host: string, database: string): MysqlError {
  return new MysqlError(
    1044,
    "42000",
    `Access denied for user '${user}'@'${host}' to database '${database}'`,
  );
}

export function tlsRequired(): MysqlError {
  return new MysqlError(
    3159,
    "HY000",
    "Connections using insecure transport are prohibited while --require_secure_transport=ON.",
  );
}

export function tooManyConnections(): MysqlError {
  return new MysqlError(1040, "08004", "Too many connections");
}

/** Of one account, as max_user_connections does it. */
export function tooManyUserConnections(user: string): MysqlError {
  return new MysqlError(
    1203,
    "42000",
    `User ${user} already has more than 'max_user_connections' active connections`,
  );
}

/** A limit for each account; the resource's name tells which. */
export function resourceExceeded(user: string, resource: string, value: number): MysqlError {
  return new MysqlError(
    1226,
    "42000",
    `User '${user}' has exceeded the '${resource}' resource (current value: ${value})`,
  );
}

export function outOfResources(): MysqlError {
  return new MysqlError(
    1041,
    "HY000",
    "Out of memory; check if mysqld or some other process uses all available memory; if not, you may have to use 'ulimit' to allow mysqld to use more memory or you can add more swap space",
  );
}

export function unknownVariable(name: string): MysqlError {
  return new MysqlError(1193, "HY000", `Unknown system variable '${name}'`);
}

export function syntaxError(near: string): MysqlError {
  return new MysqlError(
    1064,
    "42000",
    `You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version for the right syntax to use near '${near}' at line 1`,
  );
}

export function noDatabaseSelected(): MysqlError {
  return new MysqlError(1046, "3D000", "No database selected");
}

export function unknownThread(id: string): MysqlError {
  return new MysqlError(1094, "HY000", `Unknown thread id: ${id}`);
}

export function unknownCommand(): MysqlError {
  return new MysqlError(1047, "08S01", "Unknown command");
}

export function shuttingDown(): MysqlError {
  return new MysqlError(1053, "08S01", "Server shutdown in progress");
}

/** For a refusal that has no number of its own: the text tells the operator why. */
export function otherError(message: string): MysqlError {
  return new MysqlError(1105, "HY000", message);
}

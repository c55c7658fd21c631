/**
 * Semi-synchronous replication on the wire (manual, "Semisynchronous Replication"; layouts as
 * measured with real servers). Both sides agree on it before the dump: then every packet of
 * the stream begins `00 ef flag`, and the replica answers with packets numbered 0:
 *
 *   ack   ef | u64 position: end of the event in the source's file | file name
 *
 * An ack counts for everything up to its place. One that is ahead of what was received makes the
 * source stop waiting for anybody, silently: never build one from anything but what is committed.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";

export const SEMI_SYNC_MAGIC = 0xef;
/** Bytes between the leading 00 and the event. */
export const SEMI_SYNC_HEADER_BYTES = 2;
export const SEMI_SYNC_ACK_WANTED = 0x01;
const FILE_NAME_MAX_BYTES = 512;

export interface SemiSyncAck {
  readonly position: number;
  readonly file: string;
}

/** True when a session of the source waits for this event. The reader stands behind the 00. */
export function readSemiSyncHeader(reader: ByteReader): boolean {
  const magic = reader.u8("semi-sync magic");
  if (magic !== SEMI_SYNC_MAGIC) reader.fail(`semi-sync magic 0x${magic.toString(16)}`);
  return (reader.u8("semi-sync flag") & SEMI_SYNC_ACK_WANTED) !== 0;
}

export function encodeSemiSyncAck(ack: SemiSyncAck): Uint8Array {
  return new ByteWriter(64).u8(SEMI_SYNC_MAGIC).u64(ack.position).text(ack.file).finish();
}

export function decodeSemiSyncAck(payload: Uint8Array): SemiSyncAck {
  const reader = new ByteReader(payload);
  const magic = reader.u8("semi-sync magic");
  if (magic !== SEMI_SYNC_MAGIC) reader.fail(`semi-sync magic 0x${magic.toString(16)}`);
  const position = reader.u64n("position");
  if (reader.remaining > FILE_NAME_MAX_BYTES) reader.fail("file name is too long");
  const file = reader.text(reader.remaining, "file name").replace(/\0+$/, "");
  if (file === "") reader.fail("file name is empty");
  return { position, file };
}

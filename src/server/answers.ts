/**
 * Sends the packets of an answer, however many: counted as held until the client has taken them,
 * with a deadline, and compressed a piece at a time with turns of the event loop between.
 */
import type { PacketConnection } from "../mysql/connection.ts";
import { framePackets } from "../mysql/packet.ts";
import type { ClientShare } from "./client-budget.ts";
import { type DrainTimes, drainedInTime } from "./drained.ts";
import type { LoopTurns } from "./loop-turns.ts";

/** What is compressed in one piece. */
const PIECE_BYTES = 256 * 1024;
/** An answer that is taken byte by byte ends with this all the same. */
const ANSWER_DEADLINE_MS = 10 * 60 * 1000;
/** Smaller answers are not counted. */
const SMALL_BYTES = 16 * 1024;

export async function sendAnswer(
  connection: PacketConnection,
  payloads: readonly Uint8Array[],
  parts: { readonly share: ClientShare; readonly turns: LoopTurns; readonly times: DrainTimes },
): Promise<void> {
  let bytes = 0;
  for (const payload of payloads) bytes += payload.length + 4;
  if (bytes <= SMALL_BYTES) {
    if (!connection.writePackets(payloads)) await taken(connection, parts.times);
    return;
  }
  // Before the first byte: a refusal is an error packet in place of the answer.
  parts.share.hold(bytes);
  try {
    if (!connection.compressed) {
      if (!connection.writePackets(payloads)) await taken(connection, parts.times);
      return;
    }
    const framed = framePackets(payloads, connection.sequence);
    connection.sequence = framed.sequence;
    for (const piece of pieces(framed.parts)) {
      if (!connection.writeFramed(piece)) await taken(connection, parts.times);
      await parts.turns.next();
    }
  } finally {
    parts.share.release(bytes);
  }
}

/** Runs of about 256 KiB. */
function* pieces(parts: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let run: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + PIECE_BYTES - bytes);
      run.push(piece);
      at += piece.length;
      bytes += piece.length;
      if (bytes < PIECE_BYTES) continue;
      yield run;
      run = [];
      bytes = 0;
    }
  }
  if (run.length > 0) yield run;
}

function taken(connection: PacketConnection, times: DrainTimes): Promise<void> {
  return drainedInTime(connection, times, {
    waited: (ms) => {
      if (ms > ANSWER_DEADLINE_MS) connection.destroy();
    },
  });
}

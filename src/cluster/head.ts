/**
 * What a learner begins with that joins "from now": the newest state from before the file that the source
 * was writing when it joined. Its log goes on behind that, so it costs no history; a replica
 * that needs older files is sent away without an error, since another node has them.
 *
 *   fresh node → any member   head {startsAt, offset}
 *   member → fresh node       {index, term, size, data}   {size: 0} where it has none
 *
 * `startsAt` is the entry that begins the file. It is decided once, by the leader, and kept with the
 * member, so that a crash in between leads to the same. A state that gave way to another one while
 * its pieces were fetched is fetched anew. A member that has none, since the file itself is
 * purged by now, has nothing older either: the joiner begins as everybody does.
 */
import { concatBytes, MalformedBytes } from "../base/bytes.ts";
import type { Logger } from "../base/logger.ts";
import { printable } from "../base/logger.ts";
import { shaped } from "../peers/shapes.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { Address } from "../platform/net.ts";
import { NO_BYTES } from "../raft/types.ts";
import type { Checkpoint } from "../storage/storage.ts";
import { formatAddress } from "./members.ts";
import type { NodeCore } from "./node-core.ts";
import { NodeState } from "./node-state.ts";
import { piece as pieceShape } from "./shapes.ts";

const PIECE_BYTES = 256 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;
const ASK_MS = 10_000;
const AGAIN_MS = 1_000;

export interface HeadQuestion {
  readonly startsAt: number;
  readonly offset: number;
}

export interface Piece {
  readonly index: number;
  readonly term: number;
  readonly size: number;
  readonly data: Uint8Array;
}

/** A member's answer. */
export async function headPiece(
  { log }: NodeCore,
  { startsAt, offset }: HeadQuestion,
): Promise<Piece> {
  const found = await log.checkpointBefore(startsAt);
  if (found === null) return { index: 0, term: 0, size: 0, data: NO_BYTES };
  const { index, term, data } = found;
  return {
    index,
    term,
    size: data.length,
    data: data.subarray(offset, offset + PIECE_BYTES),
  };
}

export interface HeadParts {
  readonly peers: {
    ask(address: Address, method: string, args: unknown, timeoutMs: number): Promise<unknown>;
  };
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of nodes that may have it; asked anew in each round. */
  readonly addresses: () => Promise<readonly Address[]>;
}

/** Null: the log is to begin with its first entry. Waits until a member answers. */
export async function fetchHead(parts: HeadParts, startsAt: number): Promise<Checkpoint | null> {
  const { addresses, clock, logger } = parts;
  for (;;) {
    for (const address of await addresses()) {
      try {
        return await fetchFrom(parts, address, startsAt);
      } catch (error) {
        const reason = printable((error as Error).message, 256);
        logger.warn("A member did not give the state that this node begins with", {
          member: formatAddress(address),
          reason,
        });
      }
    }
    await delay(clock, AGAIN_MS);
  }
}

async function fetchFrom(
  { peers }: HeadParts,
  address: Address,
  startsAt: number,
): Promise<Checkpoint | null> {
  const parts: Uint8Array[] = [];
  let first: Piece | null = null;
  let offset = 0;
  do {
    const told = await peers.ask(address, "head", { startsAt, offset }, ASK_MS);
    const piece = shaped(pieceShape, told, "piece");
    first ??= piece;
    if (piece.index !== first.index || piece.size !== first.size)
      throw new MalformedBytes("the state gave way to another one", offset);
    if (piece.size === 0) return null;
    const { data } = piece;
    if (data.length === 0 || piece.size > MAX_BYTES)
      throw new MalformedBytes("a piece of the state", offset);
    parts.push(data);
    offset += data.length;
  } while (offset < first.size);
  const state = NodeState.decode(concatBytes(parts));
  if (state.stream.applied !== first.index)
    throw new MalformedBytes("the state is of another entry", 0);
  state.startsAt = startsAt;
  return { index: first.index, term: first.term, data: state.encode() };
}

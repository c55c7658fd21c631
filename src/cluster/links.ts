/**
 * How a node's Raft messages reach its peers: the contract between the ready loop and whatever
 * carries them (sockets, or the simulator's network).
 *
 * - `send` takes what it needs of the message before it returns: payloads lie in buffers that are
 *   used again. It never blocks and never throws; what a peer cannot take is dropped, for Raft
 *   sends again what is not answered.
 * - Messages to one peer arrive in order or not at all as long as a link lasts; Raft stands any
 *   order.
 */
import type { Message } from "../raft/types.ts";

export interface PeerLinks {
  send(message: Message): void;
}

/** Of a cluster of one. */
export const NO_LINKS: PeerLinks = { send: () => {} };

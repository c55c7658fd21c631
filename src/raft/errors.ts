/** What a call of the core can be refused with. None of them changes any state. */

/** A proposal that was not taken: no leader is known, it is being handed over, or too much is uncommitted. */
export class ProposalDropped extends Error {
  constructor() {
    super("raft proposal dropped");
    this.name = "ProposalDropped";
  }
}

/** A message that only the node itself may step. */
export class LocalMessage extends Error {
  constructor() {
    super("raft: cannot step raft local message");
    this.name = "LocalMessage";
  }
}

/** A response of somebody whom the configuration does not have. */
export class PeerNotFound extends Error {
  constructor() {
    super("raft: cannot step as peer not found");
    this.name = "PeerNotFound";
  }
}

/** A change of the configuration that would be unsafe or has no meaning. */
export class ConfChangeRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "ConfChangeRefused";
  }
}

/**
 * The log or a message contradicts what Raft proves: this node, or one that it talked to, has
 * forgotten what it had acknowledged. Going on could lose committed entries, so the driver stops.
 */
export class RaftBroken extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "RaftBroken";
  }
}

/** What a call of the core cannot take, and nothing is wrong with the core: of a peer, or without a leader. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof ProposalDropped ||
    error instanceof PeerNotFound ||
    error instanceof LocalMessage
  );
}

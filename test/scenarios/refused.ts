/** Errors that are part of what a scenario shows; any other one is a bug and ends the file. */
import {
  ConfChangeRefused,
  LocalMessage,
  PeerNotFound,
  ProposalDropped,
} from "../../src/raft/errors.ts";

/** The directive cannot be done; its message is the output. */
export class Refused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "Refused";
  }
}

const SHOWN = [Refused, ConfChangeRefused, LocalMessage, PeerNotFound, ProposalDropped];

/** The text of the error with which `fn` was refused, null when it was not. */
export function refusal(fn: () => void): string | null {
  try {
    fn();
    return null;
  } catch (error) {
    if (!SHOWN.some((type) => error instanceof type)) throw error;
    return (error as Error).message;
  }
}

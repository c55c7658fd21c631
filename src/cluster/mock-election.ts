/**
 * Would this node be elected? Asked before leadership is handed to it: it counts, over its own links,
 * the voters that hear it and would take part. Nothing is voted, and no term begins.
 */
import { printable } from "../base/logger.ts";
import { CallFailed } from "../peers/calls.ts";
import type { NodeCore } from "./node-core.ts";
import type { CallHandler } from "./peer-host.ts";

export interface MockElectionParts {
  readonly core: NodeCore;
  readonly call: (
    raftId: number,
    method: string,
    args: unknown,
    timeoutMs: number,
  ) => Promise<unknown>;
}

const WOULD_LEAD = "would-lead";

export class MockElection {
  readonly #parts: MockElectionParts;

  constructor(parts: MockElectionParts) {
    this.#parts = parts;
  }

  /** What this node answers to others. */
  answer(calls: Map<string, CallHandler>): void {
    calls.set(WOULD_LEAD, () => this.#hold());
  }

  /** Null: it would. Else why not, a sentence without its first word's capital. */
  async of(raftId: number): Promise<string | null> {
    const { call, core } = this.#parts;
    try {
      const why = await call(raftId, WOULD_LEAD, null, 2 * core.driver.consensus.electionMs);
      return why === null ? null : printable(String(why), 256);
    } catch (error) {
      const isOlder = error instanceof CallFailed && error.kind === "invalid";
      return isOlder ? null : printable((error as Error).message, 256);
    }
  }

  async #hold(): Promise<string | null> {
    const { core, call } = this.#parts;
    const { consensus } = core.driver;
    if (!consensus.mayLead) return "its disk is full, hangs or is damaged";
    if (!core.state.hasFirstFile) return "it lacks files that others have";
    const { voters } = core.state.conf;
    const own = core.log.identity.raftId;
    const votes = await Promise.all(
      voters.map((id) =>
        id === own
          ? true
          : call(id, "present", null, consensus.electionMs).then(
              (answer) => answer === true,
              () => false,
            ),
      ),
    );
    const given = votes.filter((vote) => vote).length;
    const quorum = Math.floor(voters.length / 2) + 1;
    return given >= quorum ? null : `it hears ${given} of ${voters.length} voters`;
  }
}

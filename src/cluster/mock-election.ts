/**
 * Would this node be elected? Asked before leadership is handed to it: it counts, over its own links,
 * the voters that hear it and would take part. Nothing is voted, and no term begins.
 */
import { printable } from "../base/logger.ts";
import { CallFailed } from "../peers/calls.ts";
import { jointIds, jointVote } from "../raft/quorum.ts";
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
    // While the members change both halves must elect.
    const { voters, votersOutgoing } = core.state.conf;
    const config = { incoming: voters, outgoing: votersOutgoing };
    const ids = jointIds(config);
    const given = new Set([core.log.identity.raftId]);
    const ask = async (id: number): Promise<void> => {
      const answer = await call(id, "present", null, consensus.electionMs).catch(() => false);
      if (answer === true) given.add(id);
    };
    await Promise.all(ids.filter((id) => !given.has(id)).map(ask));
    if (jointVote(config, (id) => given.has(id)) === "won") return null;
    return `it hears ${ids.filter((id) => given.has(id)).length} of ${ids.length} voters`;
  }
}

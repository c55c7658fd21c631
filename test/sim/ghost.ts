/**
 * Who sees everything and forgets nothing: what has ever been committed, elected, configured. It
 * reads the durable images, not what nodes believe. Numbers are those of the invariants in
 * docs/08-testing.md.
 */
import { type JointConfig, jointVote } from "../../src/raft/quorum.ts";
import type { RawNode } from "../../src/raft/raw-node.ts";
import type { RaftStorage } from "../../src/raft/storage.ts";
import type { ConfState, Entry, HardState, Message } from "../../src/raft/types.ts";

export class Violation extends Error {
  readonly invariant: string;
  constructor(invariant: string, what: string) {
    super(`${invariant}: ${what}`);
    this.name = "Violation";
    this.invariant = invariant;
  }
}

/** What is seen of a node: its core while it runs, and what its disk has. */
export interface Witnessed {
  readonly id: number;
  /** Its disk lost something that it had: what it lacks now, it had when it was counted. */
  readonly isDamaged?: boolean;
  readonly core: RawNode | null;
  readonly storage: DurableImage;
  readonly appliedIndex: number;
}

export type DurableImage = Pick<RaftStorage, "firstIndex" | "lastIndex" | "term"> & {
  readonly hardState: HardState;
};

const joint = (conf: ConfState): JointConfig => ({
  incoming: conf.voters,
  outgoing: conf.votersOutgoing,
});

export class Ghost {
  /** By index, what was applied first anywhere. */
  readonly committed = new Map<number, { term: number; data: string }>();
  /** Its indexes in the order in which they came. */
  readonly #order: number[] = [];
  readonly #leaders = new Map<number, number>();
  /** In which term a leader counted it, as far as that was seen: at the latest when it was applied. */
  readonly #committedIn = new Map<number, number>();
  /** By leader, how many of them its log was seen to have; it never loses any while it leads. */
  readonly #complete = new Map<number, { core: unknown; term: number; seen: number }>();
  readonly #configs = new Map<number, ConfState>();
  readonly #commits = new Map<number, { core: unknown; commit: number; leads: number }>();
  readonly #voters = new Map<number, JointConfig>();
  /** By node and term, for whom it voted: also before its disk forgot it. */
  readonly #votes = new Map<string, number>();
  /** By candidate and term, the last entry that it asked with. */
  readonly #asked = new Map<string, { readonly term: number; readonly index: number }>();
  /** By node, the last entry that its disk had in each of its terms, before it went bad. */
  readonly #had = new Map<number, { readonly inTerm: number; term: number; index: number }[]>();
  #last: { index: number; conf: ConfState };
  highest: number;

  /** `first` is the configuration that all begin with, at an index that all have. */
  constructor(first: ConfState, index: number) {
    this.highest = index;
    this.#last = { index, conf: first };
    this.#configs.set(index, first);
  }

  sent(from: Witnessed, m: Message): void {
    this.#noteLast(from);
    if (m.type === "MsgVote")
      this.#asked.set(`${from.id} ${m.term}`, { term: m.logTerm, index: m.index });
    if (m.type === "MsgVoteResp" && !m.reject) this.#judgeVote(from, m);
    if (m.type === "MsgPreVote" || m.type === "MsgPreVoteResp" || m.term === 0) return;
    const { term, vote } = from.storage.hardState;
    if (m.term > term) {
      throw new Violation("S7", `${from.id} sent ${m.type} of term ${m.term}, durable is ${term}`);
    }
    if (m.type === "MsgVoteResp" && !m.reject && m.term === term && vote !== m.to) {
      throw new Violation("S7", `${from.id} told ${m.to} of a vote that is durable for ${vote}`);
    }
    if (m.type === "MsgAppResp" && !m.reject && m.term === term) {
      const last = from.storage.lastIndex();
      if (m.index > Math.max(last, from.storage.hardState.commit)) {
        throw new Violation("S5", `${from.id} acknowledged ${m.index}, durable is ${last}`);
      }
    }
  }

  #noteLast({ id, storage, isDamaged = false }: Witnessed): void {
    if (isDamaged) return;
    const index = storage.lastIndex();
    const term = storage.term(index) as number;
    const inTerm = storage.hardState.term;
    const had = this.#had.get(id) ?? [];
    this.#had.set(id, had);
    if (had.at(-1)?.inTerm === inTerm) had.pop();
    had.push({ inTerm, term, index });
  }

  /** One vote a term, whatever the disk forgot; and none for a log that lacks what the voter had. */
  #judgeVote({ id }: Witnessed, { term, to }: Message): void {
    const key = `${id} ${term}`;
    const before = this.#votes.get(key) ?? to;
    this.#votes.set(key, to);
    if (before !== to)
      throw new Violation("S7", `${id} voted for ${before} and for ${to} in term ${term}`);
    // What came in the term of the vote itself may have come behind it: votes are told when they are durable.
    const had = this.#had.get(id)?.findLast(({ inTerm }) => inTerm < term);
    const asked = this.#asked.get(`${to} ${term}`);
    if (asked === undefined || had === undefined) return;
    if (asked.term > had.term || (asked.term === had.term && asked.index >= had.index)) return;
    throw new Violation(
      "S3",
      `${id}, which had ${had.term}/${had.index}, voted for ${to} with ${asked.term}/${asked.index}`,
    );
  }

  applied(node: Witnessed, entry: Entry): void {
    const data = String.fromCharCode(...entry.data);
    const known = this.committed.get(entry.index);
    if (known === undefined) {
      this.committed.set(entry.index, { term: entry.term, data });
      this.#order.push(entry.index);
      if (!this.#committedIn.has(entry.index)) this.#committedIn.set(entry.index, node.core!.term);
    } else if (known.term !== entry.term || known.data !== data) {
      throw new Violation(
        "S4",
        `${node.id} applied ${entry.term}/${entry.index} "${data}" where ${known.term} "${known.data}" was`,
      );
    }
    if (node.storage.lastIndex() < entry.index) {
      throw new Violation("S5", `${node.id} applied ${entry.index}, which is not durable there`);
    }
    if (entry.index !== node.appliedIndex + 1) {
      throw new Violation("S4", `${node.id} applied ${entry.index} after ${node.appliedIndex}`);
    }
  }

  configured(index: number, conf: ConfState): void {
    const known = this.#configs.get(index);
    if (known !== undefined) {
      if (JSON.stringify(known) !== JSON.stringify(conf)) {
        throw new Violation("S8", `two configurations at ${index}`);
      }
      return;
    }
    this.#configs.set(index, conf);
    if (index < this.#last.index) return;
    if (!intersect(joint(this.#last.conf), joint(conf))) {
      throw new Violation(
        "S8",
        `quorums of ${JSON.stringify(this.#last.conf)} and ${JSON.stringify(conf)} need not meet`,
      );
    }
    this.#last = { index, conf };
  }

  /** After each step. */
  check(nodes: readonly Witnessed[]): void {
    for (const node of nodes) {
      const { core } = node;
      if (core === null) continue;
      const { raft } = core;
      if (raft.role === "leader") this.#checkLeader(node, nodes);
      const before = this.#commits.get(node.id);
      if (before?.core === core && before.commit > core.commit) {
        throw new Violation("S6", `${node.id}'s commit fell from ${before.commit}`);
      }
      const leads = raft.role === "leader" ? raft.term : 0;
      if (leads > 0 && before?.leads === leads && before.core === core) {
        // Counting commits entries of the own term only (thesis §3.6.2).
        if (core.commit > before.commit && raft.log.term(core.commit) !== raft.term) {
          throw new Violation("S3", `${node.id} committed an entry of an earlier term by counting`);
        }
      }
      if (leads > 0) this.#noteCommitted(before?.commit ?? this.highest, core);
      this.#commits.set(node.id, { core, commit: core.commit, leads });
      const { applied, committed } = raft.log;
      if (applied > committed || committed > raft.log.lastIndex()) {
        throw new Violation("S6", `${node.id}: ${raft.log.describe()}`);
      }
      if (raft.isLearner && raft.role === "leader") {
        throw new Violation("S8", `learner ${node.id} leads`);
      }
    }
  }

  #checkLeader(node: Witnessed, nodes: readonly Witnessed[]): void {
    const { raft } = node.core!;
    const other = this.#leaders.get(raft.term);
    if (other !== undefined && other !== node.id) {
      throw new Violation("S1", `${other} and ${node.id} lead in term ${raft.term}`);
    }
    this.#leaders.set(raft.term, node.id);
    this.#checkComplete(node);
    for (const [id, progress] of raft.tracker.progress) {
      if (progress.match >= progress.next)
        throw new Violation("S13", `match of ${id} not below next`);
      const peer = nodes.find((one) => one.id === id);
      // Under a newer leader its log may have been cut since.
      const current = peer !== undefined && peer.storage.hardState.term <= raft.term;
      if (current && !peer.isDamaged && progress.match > peer.storage.lastIndex()) {
        throw new Violation("S13", `${id} is believed at ${progress.match}, beyond its disk`);
      }
    }
    const before = this.#voters.get(node.id) ?? raft.tracker.config.voters;
    this.#voters.set(node.id, raft.tracker.config.voters);
    if (raft.log.committed <= this.highest) return;
    this.highest = raft.log.committed;
    this.#checkDurable(node, nodes, raft.log.committed, before);
  }

  #noteCommitted(from: number, { commit, term }: RawNode): void {
    for (let index = from + 1; index <= commit; index++)
      if (!this.#committedIn.has(index)) this.#committedIn.set(index, term);
  }

  /**
   * Whatever was committed before its term is in its log (thesis §3.6.3). The term that counts is that
   * of who committed it: who was deposed and does not know may lack an entry of a lower one.
   */
  #checkComplete(node: Witnessed): void {
    const { core, id } = node;
    const { raft } = core!;
    let known = this.#complete.get(id);
    if (known?.core !== core || known.term !== raft.term) {
      known = { core, term: raft.term, seen: 0 };
      this.#complete.set(id, known);
    }
    for (; known.seen < this.#order.length; known.seen++) {
      const index = this.#order[known.seen]!;
      const { term } = this.committed.get(index)!;
      const isLater = this.#committedIn.get(index)! >= raft.term;
      if (isLater || index < raft.log.firstIndex() || raft.log.term(index) === term) continue;
      throw new Violation("S3", `leader ${id} of term ${raft.term} lacks ${term}/${index}`);
    }
  }

  /**
   * What a leader calls committed is on the disks of a quorum of its configuration; of that before
   * the step when the step committed and then applied a change of it.
   */
  #checkDurable(
    leader: Witnessed,
    nodes: readonly Witnessed[],
    index: number,
    before: JointConfig,
  ): void {
    const { raft } = leader.core!;
    const term = raft.log.term(index);
    const has = (id: number): boolean => {
      const peer = nodes.find((one) => one.id === id);
      if (peer === undefined) return false;
      // Behind its damage it says nothing of what it has.
      if (peer.isDamaged === true && peer.storage.term(index) !== term) return true;
      return peer.storage.firstIndex() > index || peer.storage.term(index) === term;
    };
    // A leader that removes itself commits and steps down in one step; then its successor is seen
    // first, which has applied the change already. So the latest configurations count, too.
    const recent = [...this.#configs.values()].slice(-3).map(joint);
    const configs = [raft.tracker.config.voters, before, ...recent];
    if (!configs.some((config) => jointVote(config, has) === "won")) {
      throw new Violation("S5", `${leader.id} committed ${index} without a durable quorum`);
    }
  }
}

/** No set of nodes decides in one while the rest decides in the other. */
export function intersect(a: JointConfig, b: JointConfig): boolean {
  const ids = [...new Set([...a.incoming, ...a.outgoing, ...b.incoming, ...b.outgoing])];
  for (let set = 0; set < 1 << ids.length; set++) {
    const inSet = (id: number): boolean => (set & (1 << ids.indexOf(id))) !== 0;
    const first = jointVote(a, inSet) === "won";
    if (first && jointVote(b, (id) => !inSet(id)) === "won") return false;
  }
  return true;
}

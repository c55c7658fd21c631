/** A whole cluster in one thread: carries out events, and after them asks for liveness. */
import { encodeText } from "../../src/base/bytes.ts";
import { crc32 } from "../../src/base/crc32.ts";
import type { ConfChangeStep } from "../../src/raft/conf-change.ts";
import { LocalMessage, PeerNotFound, ProposalDropped } from "../../src/raft/errors.ts";
import { type ConfState, EMPTY_CONF_STATE, type Message, NO_BYTES } from "../../src/raft/types.ts";
import type { SimEvent, SimOptions } from "./events.ts";
import { Ghost, Violation } from "./ghost.ts";
import { firstIndexOf, type NodeWatcher, SimNode } from "./node.ts";

const ROUNDS = 600;
const MAX_IN_FLIGHT = 400;

export class Cluster implements NodeWatcher {
  readonly nodes: SimNode[];
  readonly ghost: Ghost;
  #network: Message[] = [];
  /** Links (from × 64 + to) that carry nothing. */
  #cut = new Set<number>();
  #now = 0;
  #proposed = 0;
  /** What happened, by kind: of each fault, how often it was there. */
  readonly counts: Record<string, number> = {};
  ticks = 0;
  #reads = new Map<string, number>();
  /** Of all that was sent and applied: equal for equal runs. */
  trace = 0;

  readonly #options: SimOptions;

  constructor(options: SimOptions) {
    this.#options = options;
    const ids = Array.from({ length: options.nodes }, (_, i) => i + 1);
    const conf: ConfState = {
      ...EMPTY_CONF_STATE,
      voters: ids.slice(0, options.voters),
      learners: ids.slice(options.voters),
    };
    this.ghost = new Ghost(conf, firstIndexOf(conf, options));
    this.nodes = ids.map((id) => new SimNode(id, conf, options, this));
  }

  send(from: SimNode, message: Message): void {
    this.ghost.sent(from, message);
    this.#note(`${message.type} ${message.from} ${message.to} ${message.term} ${message.index}`);
    if (this.#network.length < MAX_IN_FLIGHT) this.#network.push(message);
    else this.#told(message, false);
  }

  applied(node: SimNode, entry: Parameters<Ghost["applied"]>[1]): void {
    this.ghost.applied(node, entry);
    this.#note(`applied ${node.id} ${entry.term} ${entry.index}`);
  }

  configured(_node: SimNode, index: number, conf: ConfState): void {
    this.ghost.configured(index, conf);
  }

  /** What was committed anywhere when a read began must be covered by its answer. */
  read(node: SimNode, index: number, context: Uint8Array): void {
    const floor = this.#reads.get(String.fromCharCode(...context)) ?? 0;
    if (index < floor) {
      throw new Violation("S10", `${node.id} may read at ${index}, ${floor} was committed before`);
    }
  }

  #note(what: string): void {
    const bytes = encodeText(what);
    this.trace = crc32(bytes, 0, bytes.length, this.trace);
  }

  apply(event: SimEvent): void {
    const node = this.nodes[event.a % this.nodes.length]!;
    this.#now++;
    this.counts[event.kind] = (this.counts[event.kind] ?? 0) + 1;
    try {
      this.#do(event, node);
      this.#report();
      for (const one of this.nodes) one.pump();
    } catch (error) {
      const refused =
        error instanceof ProposalDropped ||
        error instanceof PeerNotFound ||
        error instanceof LocalMessage;
      if (!refused) throw error;
    }
    this.ghost.check(this.nodes);
  }

  #do({ kind, a, b }: SimEvent, node: SimNode): void {
    const awake = node.up && node.pausedUntil <= this.#now;
    switch (kind) {
      case "tick":
        if (awake) node.core!.tick();
        this.ticks++;
        return;
      case "deliver":
        // Mostly in order, sometimes not.
        this.#deliver(b % 4 === 0 ? a % Math.max(1, this.#network.length) : 0, false);
        return;
      case "drop":
        for (const lost of this.#network.splice(a % Math.max(1, this.#network.length), 1))
          this.#told(lost, false);
        return;
      case "duplicate":
        this.#deliver(a % Math.max(1, this.#network.length), true);
        return;
      case "disk":
        if (awake) node.disk();
        return;
      case "propose":
        if (awake) node.core!.propose(encodeText(`p${this.#proposed++}`));
        return;
      case "crash":
        node.crash();
        return;
      case "restart":
        if (!node.up) node.start();
        return;
      case "partition": {
        const side = (id: number): boolean => ((b >> (id - 1)) & 1) === 1;
        for (const x of this.nodes)
          for (const y of this.nodes)
            if (side(x.id) !== side(y.id)) this.#cut.add(x.id * 64 + y.id);
        return;
      }
      case "oneWay":
        this.#cut.add(node.id * 64 + 1 + (b % this.nodes.length));
        return;
      case "heal":
        this.#cut.clear();
        return;
      case "pause":
        node.pausedUntil = this.#now + (b % 200);
        return;
      default:
        if (awake) this.#operate(kind, a, b, node);
    }
  }

  #operate(kind: SimEvent["kind"], a: number, b: number, node: SimNode): void {
    const other = 1 + (b % this.nodes.length);
    const core = node.core!;
    if (kind === "change") this.#change(a, b, node);
    else if (kind === "transfer") core.transferLeader(other);
    else if (kind === "compact") node.compact();
    else if (kind === "campaign") core.campaign();
    else if (kind === "unreachable") core.reportUnreachable(other);
    else if (kind === "forgetLeader") core.forgetLeader();
    else if (kind === "readIndex") {
      const context = `r${this.#reads.size}`;
      this.#reads.set(context, Math.max(1, ...this.ghost.committed.keys()));
      core.readIndex(encodeText(context));
    }
  }

  #change(a: number, b: number, node: SimNode): void {
    const types = ["add-node", "remove-node", "add-learner"] as const;
    const steps: ConfChangeStep[] = [];
    for (let i = 0; i <= (a >> 4) % 3; i++) {
      const id = 1 + ((b >> (i * 4)) % this.nodes.length);
      steps.push({ type: types[(a >> (8 + 2 * i)) % 3]!, id });
    }
    // Changes are a leader's own, never forwarded.
    if (node.core!.role !== "leader" || !keepsAVoter(node.conf, steps)) return;
    const transition = (["auto", "implicit", "explicit"] as const)[(a >> 6) % 3]!;
    const changes = b % 7 === 0 ? [] : steps;
    node.proposeChange({
      transition: changes.length === 0 ? "auto" : transition,
      changes,
      context: NO_BYTES,
    });
  }

  #deliver(at: number, keep: boolean): void {
    const message = keep ? this.#network[at] : this.#network.splice(at, 1)[0];
    if (message === undefined) return;
    const node = this.nodes.find((one) => one.id === message.to);
    if (node === undefined || !node.up || this.#cut.has(message.from * 64 + message.to)) {
      if (!keep) this.#told(message, false);
      return;
    }
    if (node.pausedUntil > this.#now) {
      if (!keep) this.#network.push(message);
      return;
    }
    node.core!.step(message);
    this.#told(message, true);
  }

  /** A transport tells the sender what became of a snapshot; nothing else would end its wait. */
  #told({ type, from, to }: Message, delivered: boolean): void {
    if (type === "MsgSnap") this.#snapshots.push({ from, to, delivered });
  }
  #snapshots: { from: number; to: number; delivered: boolean }[] = [];

  #report(): void {
    for (const { from, to, delivered } of this.#snapshots.splice(0)) {
      const sender = this.nodes.find(({ id }) => id === from);
      // The next one is newer: one from before the receiver was added would never be taken.
      if (sender?.up) sender.compact();
      sender?.core?.reportSnapshot(to, delivered);
    }
  }

  /** All faults end; then a leader must be there, and everything proposed to it must be applied by all. */
  converge(): void {
    this.#cut.clear();
    for (const node of this.nodes) {
      node.pausedUntil = 0;
      if (!node.up) node.start();
    }
    let probe: string | null = null;
    for (let round = 0; round < ROUNDS; round++) {
      for (const node of this.nodes) this.apply({ kind: "tick", a: node.id - 1, b: 0 });
      for (let i = 0; i < 400 && this.#network.length > 0; i++)
        this.apply({ kind: "deliver", a: 0, b: 1 });
      for (let i = 0; i < 6; i++)
        for (const node of this.nodes) this.apply({ kind: "disk", a: node.id - 1, b: 0 });
      const leader = this.#leader();
      if (leader === null) continue;
      this.#stopRemoved(leader);
      if (probe === null || round % 100 === 99) {
        probe = `p${this.#proposed}`;
        this.apply({ kind: "propose", a: leader.id - 1, b: 0 });
      } else if (this.#allHave(leader, probe)) return;
    }
    throw new Violation("Q1", `no progress in ${ROUNDS} rounds without faults: ${this.describe()}`);
  }

  /**
   * What only pre-vote and lease together prevent is an operator's to do without them. A removed node
   * that runs on may depose leaders for ever; and a learner of a higher term, which cannot campaign,
   * tells a leader of a lower one nothing: that leader must be elected anew.
   */
  #stopRemoved({ conf, core, id }: SimNode): void {
    const { preVote, checkQuorum } = this.#options;
    if (preVote && checkQuorum) return;
    const isAhead = this.nodes.some(
      (node) => conf.learners.includes(node.id) && (node.core?.term ?? 0) > core!.term,
    );
    if (isAhead && !preVote && !checkQuorum) {
      core!.stepDown();
      this.apply({ kind: "campaign", a: id - 1, b: 0 });
    }
    const members = new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners]);
    for (const node of this.nodes) {
      if (!members.has(node.id)) node.crash();
      else if (!node.up) node.start();
    }
  }

  #leader(): SimNode | null {
    const leaders = this.nodes.filter(({ core }) => core?.raft.role === "leader");
    return leaders.sort((x, y) => y.core!.term - x.core!.term)[0] ?? null;
  }

  #allHave(leader: SimNode, probe: string): boolean {
    const { conf } = leader;
    let index = 0;
    for (const [at, { data }] of this.ghost.committed) if (data === probe) index = at;
    if (index === 0) return false;
    const members = [...conf.voters, ...conf.learners];
    const there = this.nodes.filter(({ id }) => members.includes(id));
    if (conf.votersOutgoing.length > 0 && conf.autoLeave) return false;
    return there.every((node) => node.appliedIndex >= index);
  }

  describe(): string {
    return this.nodes
      .map(({ id, core, conf, appliedIndex }) => {
        if (core === null) return `${id} down`;
        const { role, term, log } = core.raft;
        const voters = `${conf.voters}${conf.votersOutgoing.length > 0 ? `&&${conf.votersOutgoing}` : ""}`;
        return `${id} ${role} ${term} [${log.describe()}] applied ${appliedIndex} voters ${voters}`;
      })
      .join("; ");
  }
}

/** A configuration without any voter is an operator's error that nothing can recover from. */
function keepsAVoter(conf: ConfState, steps: readonly ConfChangeStep[]): boolean {
  const voters = new Set(conf.voters);
  for (const { type, id } of steps) {
    if (type === "add-node") voters.add(id);
    else voters.delete(id);
  }
  return voters.size > 0;
}

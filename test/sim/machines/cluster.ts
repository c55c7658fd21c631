/** A whole cluster on simulated machines: time, faults, proposals, and who watches them. */
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { World } from "../../../runtime/memory/world.ts";
import { encodeText } from "../../../src/base/bytes.ts";
import type { ConfChangeStep } from "../../../src/raft/conf-change.ts";
import { ProposalDropped } from "../../../src/raft/errors.ts";
import {
  type ConfState,
  EMPTY_CONF_STATE,
  type Entry,
  type Message,
  NO_BYTES,
} from "../../../src/raft/types.ts";
import { Ghost, Violation } from "../ghost.ts";
import { FaultInjector } from "./faults.ts";
import { SimNetwork } from "./network.ts";
import { MachineNode, type Watcher } from "./node.ts";
import { ELECTION_MS, type Plan } from "./plan.ts";

/** Without progress for so long, with a quorum whole and connected, something is stuck. */
const STUCK_MS = 10 * ELECTION_MS;
const CONVERGE_MS = 120_000;

export class MachineCluster implements Watcher {
  readonly plan: Plan;
  readonly world: World;
  readonly nodes: MachineNode[] = [];
  readonly ghost: Ghost;
  readonly network: SimNetwork;
  readonly random: SeededRandom;
  readonly #first: ConfState;
  readonly #faults: FaultInjector;
  #violation: Error | null = null;
  #proposed = 0;
  #progressAt = 0;

  constructor(plan: Plan) {
    this.plan = plan;
    this.world = new World(plan.seed);
    this.random = new SeededRandom(plan.seed).fork("cluster");
    this.network = new SimNetwork(this.world.time, this.random.fork("network"), plan);
    const ids = Array.from({ length: plan.nodes }, (_, i) => i + 1);
    this.#first = {
      ...EMPTY_CONF_STATE,
      voters: ids.slice(0, plan.voters),
      learners: ids.slice(plan.voters),
    };
    this.ghost = new Ghost(this.#first, 0);
    this.#faults = new FaultInjector(this);
    for (const id of ids) this.addNode(id);
  }

  get counts(): Readonly<Record<string, number>> {
    return { ...this.#faults.counts, ...this.network.counts };
  }

  addNode(id: number): MachineNode {
    const machine = this.world.machine(`m${id}`);
    machine.clock.rate = 1 + this.plan.skew * (2 * this.random.float() - 1);
    machine.clock.earlyMs = 0.9;
    const links = this.network.links((message) => this.#sent(node, message));
    const node = new MachineNode(id, machine, {
      conf: this.#first,
      links,
      watcher: this,
      segmentBytes: this.plan.segmentBytes,
    });
    node.disk.faults.syncMs = this.plan.syncMs;
    this.nodes.push(node);
    this.network.attach(id, node);
    node.start();
    return node;
  }

  #sent(node: MachineNode, message: Message): void {
    this.ghost.sent(node, message);
  }
  applied(node: MachineNode, entry: Entry): void {
    this.ghost.applied(node, entry);
  }
  configured(_node: MachineNode, index: number, conf: ConfState): void {
    this.ghost.configured(index, conf);
  }
  broken(error: Error): void {
    this.#violation ??= error;
  }
  ended(node: MachineNode): void {
    this.#faults.restartSoon(node);
  }

  /** Who can be asked to do something for the cluster. */
  leader(): MachineNode | null {
    const leaders = this.nodes.filter((node) => node.isAwake && node.parts?.driver.leads === true);
    return leaders.sort((x, y) => y.core!.term - x.core!.term)[0] ?? null;
  }

  /** Runs the plan, then ends all faults and waits until everybody has everything. */
  async run(): Promise<void> {
    const { time } = this.world;
    for (const fault of this.plan.faults)
      time.schedule(fault.atMs, fault.kind, () => this.#guard(() => this.#faults.inject(fault)));
    this.#proposeEvery(this.plan.proposalMs);
    await this.#runUntil(() => time.now >= this.plan.lengthMs, this.plan.lengthMs + 1);
    this.#faults.endAll();
    const probe = { data: "" };
    const done = await this.#runUntil(() => this.#allHave(probe), CONVERGE_MS);
    if (!done) throw new Violation("Q1", `no rest after ${CONVERGE_MS} ms: ${this.describe()}`);
    await this.#compareLogs();
  }

  /** Lets time pass until the condition holds; with a probe every `proposalMs`. */
  async until(what: string, condition: () => boolean, deadlineMs = 30_000): Promise<void> {
    if (!this.#isProposing) this.#proposeEvery(this.plan.proposalMs);
    if (await this.#runUntil(condition, deadlineMs)) return;
    throw new Error(`${what}: not within ${deadlineMs} ms; ${this.describe()}`);
  }
  #isProposing = false;

  async #runUntil(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    const reached = (): boolean => {
      this.#check();
      return condition();
    };
    return this.world.time.runUntil(reached, deadlineMs);
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.broken(error as Error);
    }
  }

  /** Called after every step; for a test that interferes at one of them. */
  onStep: (() => void) | null = null;

  #check(): void {
    this.onStep?.();
    if (this.#violation !== null) throw this.#violation;
    const before = this.ghost.highest;
    this.ghost.check(this.nodes);
    const { now } = this.world.time;
    if (this.ghost.highest > before) this.#progressAt = now;
    if (this.plan.mode === "liveness" && now - this.#progressAt > STUCK_MS) {
      throw new Violation(
        "L1",
        `no commit since ${this.#progressAt}, now ${now}: ${this.describe()}`,
      );
    }
  }

  #proposeEvery(ms: number): void {
    this.#isProposing = true;
    this.world.time.schedule(ms, "propose", () => {
      this.propose();
      this.#proposeEvery(ms);
    });
  }

  /** A payload that names itself; mostly small, now and then many sectors. */
  propose(): string | null {
    const leader = this.leader();
    if (leader === null) return null;
    const size = this.random.below(20) === 0 ? this.random.below(9_000) : this.random.below(200);
    // The leading zero says that apply has nothing to do with it.
    const data = `\0p${this.#proposed++} `.padEnd(size, ".");
    try {
      leader.parts!.driver.propose(encodeText(data));
      return data;
    } catch (error) {
      if (!(error instanceof ProposalDropped)) throw error;
      return null;
    }
  }

  /** Changes are a leader's own, never forwarded; refused ones are none. */
  change(steps: readonly ConfChangeStep[], transition: "auto" | "implicit" | "explicit"): void {
    const leader = this.leader();
    if (leader === null) return;
    try {
      leader.parts!.driver.consensus.proposeConfChange({
        transition: steps.length === 0 ? "auto" : transition,
        changes: steps,
        context: NO_BYTES,
      });
    } catch (error) {
      if (!(error instanceof ProposalDropped)) throw error;
    }
  }

  #allHave(probe: { data: string }): boolean {
    const leader = this.leader();
    if (leader === null || this.#faults.isBusy) return false;
    const conf = leader.parts!.state.conf;
    if (conf.votersOutgoing.length > 0) {
      if (!conf.autoLeave) this.change([], "auto");
      return false;
    }
    probe.data ||= this.propose() ?? "";
    let index = 0;
    for (const [at, { data }] of this.ghost.committed) if (data === probe.data) index = at;
    if (index === 0) {
      // Its leader was deposed before it was committed.
      if (leader.core!.raft.uncommittedSize === 0) probe.data = "";
      return false;
    }
    const members = [...conf.voters, ...conf.learners];
    return this.nodes.every((node) => !members.includes(node.id) || node.appliedIndex >= index);
  }

  /** Every byte of every log, against what was committed. */
  async #compareLogs(): Promise<void> {
    const { time } = this.world;
    for (const node of this.nodes) {
      const log = node.parts?.log;
      if (log === undefined) continue;
      const last = Math.min(node.appliedIndex, log.lastIndex);
      for (let index = log.firstIndex; index <= last; ) {
        const lease = await time.run(() => log.read(index, 64 * 1024));
        for (const entry of lease.entries) {
          index = entry.index + 1;
          if (entry.index > last) break;
          const known = this.ghost.committed.get(entry.index);
          const data = String.fromCharCode(...entry.data);
          if (known?.term !== entry.term || known.data !== data)
            throw new Violation(
              "S2",
              `${node.id} has another entry ${entry.index} than was committed`,
            );
        }
        lease.release();
      }
    }
  }

  describe(): string {
    return this.nodes
      .map((node) => {
        const { core, parts } = node;
        if (node.isRetired) return `${node.id} retired`;
        if (core === null || parts === null) return `${node.id} down`;
        const { role, term, log } = core.raft;
        const { voters, votersOutgoing, learners } = parts.state.conf;
        return (
          `${node.id} ${role} ${term} [${log.describe()}] applied ${node.appliedIndex} ` +
          `voters ${voters}&&${votersOutgoing} learners ${learners}`
        );
      })
      .join("; ");
  }
}

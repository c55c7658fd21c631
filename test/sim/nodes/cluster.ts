/**
 * A cluster of whole nodes with two sources and two replicas, on simulated machines: who does what when,
 * and what must hold (numbers: reliability catalogue).
 *
 *   B1   an ACK to the source speaks of what a quorum has durable, to the byte (acks.ts)
 *   B2   what was acknowledged is in the set of every later leader, and what a replica got (observer.ts)
 *   B3, B4, B5, B6   are judged by the replicas (replica.ts, line.ts)
 *   B7   a replica never meets an error that stops it for good
 *   B8   at the end source, nodes and replicas have the same; every file equals the source's
 *   B9   nodes agree on every entry, and on what it made of the stream (folds.ts)
 *   S9   a removed, replaced or foreign node takes no part
 *   Q1   when faults end, all is well again without more than an operator's doing (operator.ts)
 */
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { World } from "../../../runtime/memory/world.ts";
import type { WorldSource } from "../../unit/cluster/world-source.ts";
import { Violation } from "../ghost.ts";
import { AckJudge } from "./acks.ts";
import { compareFiles } from "./compare-files.ts";
import { NodeFaults } from "./faults.ts";
import { ForeignCluster } from "./foreign.ts";
import { formCluster } from "./formation.ts";
import { Line } from "./line.ts";
import { ACCOUNT, MYSQL_PORT, type NodePlan, SimNode } from "./node.ts";
import { Observer } from "./observer.ts";
import { isOurFault, Operator } from "./operator.ts";
import type { Plan } from "./plan.ts";
import { Counters } from "./reached.ts";
import { placeOf, REGIONS, spread } from "./regions.ts";
import { SimReplica } from "./replica.ts";
import { isAtRest, whyNotAtRest } from "./rest.ts";
import { Sources } from "./sources.ts";

const LOOK_MS = 25;
const REST_MS = 240_000;
/** At the end the source writes one more now and then: what it has skipped shows in what follows. */
const LAST_COMMITS_MS = 6_000;

export class NodeCluster {
  readonly plan: Plan;
  readonly world: World;
  readonly random: SeededRandom;
  readonly nodes: SimNode[] = [];
  readonly replicas: SimReplica[] = [];
  readonly counters: Counters = new Counters();
  readonly observer: Observer;
  readonly operator: Operator;
  readonly acks: AckJudge;
  readonly foreign: ForeignCluster;
  readonly faults: NodeFaults;
  /** Where replicas do not go. */
  readonly away: Set<SimNode> = new Set();
  sources!: Sources;
  line!: Line;
  #violation: Error | null = null;
  #stopped = false;
  #turn = 0;
  #lateOnSent = 0;

  constructor(plan: Plan) {
    this.plan = plan;
    this.world = new World(plan.seed);
    this.random = new SeededRandom(plan.seed).fork("cluster");
    const { network } = this.world;
    network.defaults.latencyMs = plan.latencyMs;
    network.watch.onChangedBytes = (where) =>
      this.broken(new Violation("B3", `${where}: bytes changed before they were sent`));
    network.watch.onSent = (isLate) => {
      if (isLate) this.#lateOnSent++;
    };
    this.observer = new Observer(this);
    this.operator = new Operator(this);
    this.acks = new AckJudge(this);
    this.foreign = new ForeignCluster(this);
    this.faults = new NodeFaults(this);
  }

  get counts(): Readonly<Record<string, number>> {
    return {
      ...this.faults.counts,
      ...this.counters.counts,
      leaderChanges: this.observer.leaderChanges,
      acked: this.acked,
      lateOnSent: this.#lateOnSent,
      comparedFolds: this.observer.folds.compared,
    };
  }

  /** So many transactions were acknowledged in this timeline. */
  get acked(): number {
    return this.line?.acked ?? 0;
  }
  get source(): WorldSource {
    return this.sources.active;
  }
  get keepsChunks(): boolean {
    return this.plan.faults.some(({ kind }) => kind === "staleChunk");
  }

  /** Nobody else purges. */
  get purgesByItself(): boolean {
    const isPurge = ({ kind }: Plan["faults"][number]): boolean =>
      kind === "purge" || kind === "lag";
    return this.plan.retentionBytes !== null && !this.plan.faults.some(isPurge);
  }

  addNode(bootstrapExpect: number | null, more: Partial<NodePlan> = {}): SimNode {
    const { voters, segmentBytes, syncMs, retentionBytes, geo } = this.plan;
    const number = this.nodes.length;
    const machine = this.world.machine(`n${number + 1}`);
    machine.clock.earlyMs = 0.9;
    const plan: NodePlan = {
      join: Array.from({ length: voters }, (_, i) => `n${i + 1}`),
      bootstrapExpect,
      heartbeatMs: 50,
      electionMs: 500,
      segmentBytes,
      syncMs,
      retentionBytes,
      ...(geo ? placeOf(number) : {}),
      ...more,
    };
    const node = new SimNode(machine, plan, (one, error) => this.#ended(one, error));
    node.onCore = (core) => this.observer.started(node, core);
    node.onRepaired = (count) => this.counters.add("repairedEntries", count);
    this.nodes.push(node);
    for (const source of this.sources?.all ?? []) source.settings(machine);
    if (geo) spread(this.world.network, this.nodes);
    node.start();
    return node;
  }

  #ended(node: SimNode, error: Error): void {
    const isExpected = this.faults.disks.ended(node, error);
    if (error instanceof Violation || (!isExpected && isOurFault(error))) this.broken(error);
    this.faults.restartSoon(node);
  }

  /** The run has failed with it. */
  readonly broken = (error: Error): void => {
    this.#violation ??= error;
  };

  leader(): SimNode | null {
    return this.nodes.find((node) => node.leads) ?? null;
  }

  async run(): Promise<void> {
    const { time } = this.world;
    await this.form();
    this.operator.begin();
    for (const fault of this.plan.faults)
      time.schedule(fault.atMs, fault.kind, () => this.faults.inject(fault));
    await this.reaches(() => time.now >= this.plan.lengthMs, this.plan.lengthMs + 1);
    this.faults.endAll();
    this.operator.settle();
    this.#stopped = true;
    this.#lastCommitLater();
    if (!(await this.reaches(() => isAtRest(this), REST_MS)))
      throw new Violation(
        "Q1",
        `no rest after ${REST_MS} ms: ${whyNotAtRest(this)}; ${this.describe()}`,
      );
    this.foreign.check();
    await compareFiles(this);
  }

  async form(): Promise<void> {
    const { time } = this.world;
    this.sources = await time.run(() =>
      Sources.start(this.world, this.plan, this.random.fork("sources")),
    );
    this.line = new Line(this.sources.ledger);
    for (const source of this.sources.all) this.acks.watch(source);
    await formCluster(this);
    this.#commitLater();
    this.#rotateLater();
    this.#lookLater();
    const leader = this.leader()!;
    const settings = this.source.settings(leader.machine);
    const region = this.plan.geo ? REGIONS[0] : null;
    await time.run(() => leader.node!.setSource({ ...settings, region }));
    for (let at = 0; at < 2; at++)
      this.replicas.push(this.addReplica(at + 1, () => this.#next(at)));
  }

  /** Follows the node that it is told of, at each connection anew. */
  addReplica(number: number, target: () => SimNode): SimReplica {
    const name = `replica${number}`;
    return new SimReplica(this.world.machine(name), {
      name,
      uuid: `cccccccc-0000-0000-0000-00000000000${number}`,
      ...ACCOUNT,
      target: () => ({ host: target().machine.address, port: MYSQL_PORT }),
      line: this.line,
      mayLack: () => this.plan.retentionBytes !== null || !this.line.gap.isEmpty,
      broken: this.broken,
    });
  }

  /** Nodes in turn. */
  #next(at: number): SimNode {
    const near = this.nodes.filter((node) => !this.away.has(node));
    return near[(at + this.#turn++) % near.length]!;
  }

  #commitLater(): void {
    const { commitEveryMs } = this.plan;
    this.world.time.schedule(commitEveryMs * (0.5 + this.random.float()), "commit", () => {
      if (this.#stopped) return;
      this.sources.commit();
      this.#commitLater();
    });
  }

  #lastCommitLater(): void {
    this.world.time.schedule(LAST_COMMITS_MS, "last commit", () => {
      this.sources.commit();
      this.#lastCommitLater();
    });
  }

  #rotateLater(): void {
    const { rotateEveryMs } = this.plan;
    if (rotateEveryMs === 0) return;
    this.world.time.schedule(rotateEveryMs, "rotate", () => {
      if (this.#stopped) return;
      this.rotateSource();
      this.#rotateLater();
    });
  }

  rotateSource(): void {
    if (!this.sources.isDown(this.source)) this.sources.rotate();
  }

  #lookLater(): void {
    this.world.time.schedule(LOOK_MS, "look", () => {
      this.observer.look();
      this.#lookLater();
    });
  }

  /** For tests: lets time pass until it holds. */
  async until(what: string, condition: () => boolean, deadlineMs = 60_000): Promise<void> {
    if (!(await this.reaches(condition, deadlineMs)))
      throw new Error(`${what}: not within ${deadlineMs} ms; ${this.describe()}`);
  }

  async reaches(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    return this.world.time.runUntil(() => {
      if (this.#violation !== null) throw this.#violation;
      return condition();
    }, deadlineMs);
  }

  /** Whether this node has applied all that was acknowledged. */
  hasAcknowledged({ node }: SimNode): boolean {
    const executed = node?.core.state.stream.executed;
    return executed?.containsSet(this.line.setOf(this.acked)) === true;
  }

  describe(): string {
    const replicas = this.replicas.map(({ at, trouble }) => `${at} (${trouble})`).join(", ");
    const nodes = this.nodes.map((node) => node.describe()).join("; ");
    const syncer = this.leader()?.node?.status().syncer;
    return (
      `source ${this.source.variables.get("gtid_executed")}, line ${this.line?.length}, acked ${this.acked}, ` +
      `replicas ${replicas}; syncer ${syncer?.state} ${syncer?.reason}; ${nodes}`
    );
  }
}

/**
 * A cluster of whole nodes with a source and two replicas, on simulated machines: who does what when,
 * and what must hold (numbers: reliability catalogue).
 *
 *   B1   an ACK to the source speaks of what a quorum has durable
 *   B2   what was acknowledged is in the set of every later leader; so is what a replica got (B5)
 *   B3, B4, B6   are judged by the replicas (replica.ts)
 *   B7   a replica never meets an error that stops it for good
 *   B8   at the end source, nodes and replicas have the same; every file equals the source's
 *   B9   nodes agree on every entry (the rolling hash)
 *   S9   a removed or replaced node takes no part any more
 */
import { SeededRandom } from "../../../runtime/memory/random.ts";
import { World } from "../../../runtime/memory/world.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import type { SemiSyncAck } from "../../../src/mysql/semi-sync.ts";
import type { ConfState } from "../../../src/raft/types.ts";
import { LogCorrupt } from "../../../src/storage/storage.ts";
import { WorldSource } from "../../unit/cluster/world-source.ts";
import { Violation } from "../ghost.ts";
import { compareFiles } from "./compare-files.ts";
import { NodeFaults } from "./faults.ts";
import { ACCOUNT, MYSQL_PORT, type NodePlan, SimNode } from "./node.ts";
import type { Plan } from "./plan.ts";
import { placeOf, REGIONS, spread } from "./regions.ts";
import { SimReplica } from "./replica.ts";

const SOURCE_UUID = "aaaaaaaa-0000-0000-0000-000000000001";
const LOOK_MS = 25;
const REST_MS = 240_000;

export class NodeCluster {
  readonly plan: Plan;
  readonly world: World;
  readonly random: SeededRandom;
  readonly nodes: SimNode[] = [];
  readonly replicas: SimReplica[] = [];
  source!: WorldSource;
  readonly #faults: NodeFaults;
  #violation: Error | null = null;
  #committed = 0;
  /** Where each transaction ends at the source. */
  readonly #ends: { readonly file: string; readonly position: number; readonly gno: number }[] = [];
  /** Up to here transactions were acknowledged, or given to a replica. */
  acked = 0;
  #given = 0;
  #leaders = new Set<string>();
  #eventsByGno: (readonly Uint8Array[])[] = [];
  leaderChanges = 0;

  constructor(plan: Plan) {
    this.plan = plan;
    this.world = new World(plan.seed);
    this.random = new SeededRandom(plan.seed).fork("cluster");
    this.world.network.defaults.latencyMs = plan.latencyMs;
    this.world.network.watch.onChangedBytes = (where) =>
      this.broken(new Violation("B3", `${where}: bytes changed before they were sent`));
    this.#faults = new NodeFaults(this);
  }

  get counts(): Readonly<Record<string, number>> {
    return { ...this.#faults.counts, leaderChanges: this.leaderChanges, acked: this.acked };
  }

  #nodePlan(bootstrapExpect: number | null): NodePlan {
    const { voters, segmentBytes, syncMs } = this.plan;
    return {
      join: Array.from({ length: voters }, (_, i) => `n${i + 1}`),
      bootstrapExpect,
      heartbeatMs: 50,
      electionMs: 500,
      segmentBytes,
      syncMs,
      ...(this.plan.geo ? placeOf(this.nodes.length) : {}),
    };
  }

  addNode(bootstrapExpect: number | null, more: Partial<NodePlan> = {}): SimNode {
    const machine = this.world.machine(`n${this.nodes.length + 1}`);
    machine.clock.earlyMs = 0.9;
    const plan = { ...this.#nodePlan(bootstrapExpect), ...more };
    const node = new SimNode(machine, plan, (one, error) => this.#ended(one, error));
    node.onStart = (running) => this.started(node, running);
    this.nodes.push(node);
    if (this.plan.geo) spread(this.world.network, this.nodes);
    node.start();
    return node;
  }

  #ended(node: SimNode, error: Error): void {
    if (
      error instanceof LogCorrupt ||
      error instanceof Violation ||
      error.name === "AssertionError"
    )
      this.broken(error);
    this.#faults.restartSoon(node);
  }

  broken(error: Error): void {
    this.#violation ??= error;
  }

  leader(): SimNode | null {
    return this.nodes.find((node) => node.leads) ?? null;
  }

  async run(): Promise<void> {
    const { time } = this.world;
    await this.form();
    for (const fault of this.plan.faults)
      time.schedule(fault.atMs, fault.kind, () => this.#faults.inject(fault));
    await this.#until(() => time.now >= this.plan.lengthMs, this.plan.lengthMs + 1);
    this.#faults.endAll();
    this.#stopped = true;
    if (!(await this.#until(() => this.#isAtRest(), REST_MS)))
      throw new Violation("Q1", `no rest after ${REST_MS} ms: ${this.describe()}`);
    await compareFiles(this);
  }

  #stopped = false;

  async form(): Promise<void> {
    const { time } = this.world;
    this.source = await time.run(() => WorldSource.start(this.world, "source", SOURCE_UUID, ""));
    this.source.offerSemiSync("source");
    this.source.onAck = (ack, from) => this.#onAck(ack, from);
    this.source.onBrokenAck = ({ message }) => this.broken(new Violation("B1", message));
    const { eventDelayMs } = this.plan;
    if (eventDelayMs > 0)
      this.source.eventDelayMs = () =>
        this.random.below(6) === 0 ? eventDelayMs * this.random.float() : 0;
    for (let i = 0; i < this.plan.voters; i++) this.addNode(this.plan.voters);
    const formed = await this.#until(() => this.leader() !== null, 30_000);
    if (!formed) throw new Violation("L1", `no leader: ${this.describe()}`);
    this.#commitLater();
    this.#lookLater();
    const leader = this.leader()!;
    const settings = this.source.settings(leader.machine);
    for (const node of this.nodes) this.source.settings(node.machine);
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
      sourceUuid: SOURCE_UUID,
      ...ACCOUNT,
      target: () => ({ host: target().machine.address, port: MYSQL_PORT }),
      eventsOf: (gno) => this.#events(gno),
      received: (gno) => {
        this.#given = Math.max(this.#given, gno);
      },
      broken: (error) => this.broken(error),
    });
  }
  #turn = 0;

  /** Nodes in turn. */
  #next(at: number): SimNode {
    return this.nodes[(at + this.#turn++) % this.nodes.length]!;
  }

  #events(gno: number): readonly Uint8Array[] | null {
    return this.#eventsByGno[gno] ?? null;
  }

  #commitLater(): void {
    const { commitEveryMs, largeBytes } = this.plan;
    this.world.time.schedule(commitEveryMs * (0.5 + this.random.float()), "commit", () => {
      if (this.#stopped) return;
      const gno = ++this.#committed;
      const bytes = this.random.below(8) === 0 ? largeBytes : 40 + this.random.below(200);
      const before = this.source.end;
      this.source.commit(SOURCE_UUID, gno, bytes);
      const { file, position } = this.source.end;
      this.#ends.push({ file, position, gno });
      this.#eventsByGno[gno] = this.source.eventsBetween(before.position, position);
      this.#commitLater();
    });
  }

  rotateSource(): void {
    this.source.rotate();
  }

  /** B1: everything up to there is durable on a quorum of who votes at that node. */
  #onAck({ file, position }: SemiSyncAck, from: string): void {
    const end = this.#ends.findLast(
      (one) => one.file < file || (one.file === file && one.position <= position),
    );
    if (end === undefined || end.gno <= this.acked) return;
    const node = this.nodes.find(({ machine }) => machine.address === from);
    const core = node?.node?.core;
    if (core === undefined) return;
    const { stream, conf } = core.state;
    // By whichever of its processes: an ACK may arrive when that is gone.
    if ((this.#applied.get(from) ?? 0) < end.gno)
      this.broken(new Violation("B1", `${from} acknowledged ${end.gno}, which it has not applied`));
    const { applied } = stream;
    const term = core.log.term(applied);
    const has = (id: number): boolean => {
      const log =
        this.nodes.find((one) => one.log?.identity.raftId === id)?.log ??
        this.#faults.lostLogs.get(id);
      return log != null && log.lastIndex >= applied && log.term(applied) === term;
    };
    const hasQuorum = (voters: readonly number[]): boolean =>
      voters.length === 0 || 2 * voters.filter(has).length > voters.length;
    const counted = (one: ConfState): boolean =>
      hasQuorum(one.voters) && hasQuorum(one.votersOutgoing);
    // What was committed just before a change was counted by the configuration before it.
    if (!counted(conf) && !counted(this.#confBefore.get(JSON.stringify(conf)) ?? conf))
      this.broken(
        new Violation(
          "B1",
          `${node!.name} acknowledged ${end.gno} without a quorum: ${this.describe()}`,
        ),
      );
    this.acked = end.gno;
  }

  #lookLater(): void {
    this.world.time.schedule(LOOK_MS, "look", () => {
      this.#look();
      this.#lookLater();
    });
  }

  /** What each configuration followed. */
  readonly #confBefore = new Map<string, ConfState>();

  /** Up to which transaction the entries go, as they were applied first anywhere. */
  readonly #places: { readonly gno: number; readonly entry: number }[] = [];

  /** The last transaction that each machine has ever applied. */
  readonly #applied = new Map<string, number>();

  started(sim: SimNode, node: RunningNode): void {
    let last = node.core.state.conf;
    const note = (): void => {
      const { address } = sim.machine;
      const gno = Number(node.core.state.stream.last?.gno ?? 0n);
      this.#applied.set(address, Math.max(gno, this.#applied.get(address) ?? 0));
      if (gno > (this.#places.at(-1)?.gno ?? 0))
        this.#places.push({ gno, entry: node.core.state.stream.applied });
    };
    note();
    node.core.driver.observe({
      chunkApplied: note,
      confApplied: (_index, conf) => {
        this.#confBefore.set(JSON.stringify(conf), last);
        last = conf;
      },
    });
  }

  #look(): void {
    for (const node of this.nodes) {
      const core = node.node?.core;
      const key = `${node.name} ${core?.driver.term}`;
      if (core === undefined || !node.leads || this.#leaders.has(key)) continue;
      this.#leaders.add(key);
      this.leaderChanges++;
      const { executed } = core.state.stream;
      // What came in its own term others may have had, and given on, before its own disk had it.
      const { termStart } = core.driver.consensus;
      const before = this.#places.findLast(({ entry }) => entry < termStart)?.gno ?? 0;
      const must = Math.min(before, Math.max(this.acked, this.#given));
      const whole = must === 0 || executed.containsSet(GtidSet.parse(`${SOURCE_UUID}:1-${must}`));
      if (!whole)
        this.broken(
          new Violation("B2", `${key} leads with ${executed}, without all up to ${must}`),
        );
    }
    for (const replica of this.replicas)
      if (replica.fatal !== "")
        this.broken(new Violation("B7", `a replica was told ${replica.fatal}`));
    for (const one of this.nodes) {
      const mismatched = one.node?.metrics().raft.hashMismatches ?? 0;
      if (mismatched > 0)
        this.broken(new Violation("B9", `${one.name} has other entries than another node`));
    }
  }

  /** For tests: lets time pass until it holds. */
  async until(what: string, condition: () => boolean, deadlineMs = 60_000): Promise<void> {
    if (!(await this.#until(condition, deadlineMs)))
      throw new Error(`${what}: not within ${deadlineMs} ms; ${this.describe()}`);
  }

  async #until(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    return this.world.time.runUntil(() => {
      if (this.#violation !== null) throw this.#violation;
      return condition();
    }, deadlineMs);
  }

  #isAtRest(): boolean {
    const leader = this.leader();
    if (leader === null) return false;
    const { state } = leader.node!.core;
    const { file, position } = this.source.end;
    const newest = state.stream.file;
    if (this.#committed > 0 && (newest?.sourceName !== file || newest.size !== position))
      return false;
    const all = this.#committed === 0 ? "" : `${SOURCE_UUID}:1-${this.#committed}`;
    if (state.conf.votersOutgoing.length > 0) return false;
    for (const id of state.members.keys()) {
      const core = this.nodes.find((one) => one.node?.core.log.identity.raftId === id)?.node?.core;
      if (core?.state.stream.executed.toString() !== all) return false;
      if (core.driver.applied !== leader.node!.core.driver.commit) return false;
    }
    // Who was removed has been told: until then it may serve what it has, which is not all.
    for (const { node } of this.nodes) {
      if (node === null || state.members.has(node.core.log.identity.raftId)) continue;
      if (node.core.driver.consensus.fenced === null) return false;
    }
    return this.replicas.every(({ last }) => last === this.#committed);
  }

  /** Whether this node has applied all that was acknowledged. */
  hasAcknowledged({ node }: SimNode): boolean {
    return Number(node?.core.state.stream.last?.gno ?? 0n) >= this.acked;
  }

  get slowestReplica(): number {
    return Math.min(...this.replicas.map(({ last }) => last));
  }

  /** The last transaction before the source's file of this name. */
  lastBefore(name: string): number {
    return this.#ends.findLast((one) => one.file < name)?.gno ?? 0;
  }

  describe(): string {
    const replicas = this.replicas.map(({ last, trouble }) => `${last} (${trouble})`).join(", ");
    const nodes = this.nodes.map((node) => node.describe()).join("; ");
    return `source ${this.#committed}, acked ${this.acked}, replicas ${replicas}; ${nodes}`;
  }
}

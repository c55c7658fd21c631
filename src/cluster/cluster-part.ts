/**
 * A node's share in its cluster: the links, who is linked, what it says of itself, and what the leader
 * does for membership. Null on a node of its own.
 */
import type { Logger } from "../base/logger.ts";
import { CallFailed } from "../peers/calls.ts";
import { whoIs } from "../peers/dial.ts";
import type { Peers } from "../peers/peers.ts";
import type { MetCluster } from "../peers/protocol.ts";
import { shaped } from "../peers/shapes.ts";
import { type Cancel, delay } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { DamagedRange } from "../storage/storage.ts";
import type { ClusterSettings, History } from "./cluster-settings.ts";
import { FullDisk } from "./full-disk.ts";
import { GeoKeeper } from "./geo-keeper.ts";
import { HandOver } from "./hand-over.ts";
import { headPiece } from "./head.ts";
import type { LeaderCalls } from "./leader-calls.ts";
import type { LeaderOperations, Provide } from "./leader-operations.ts";
import { type Announcement, type Member, parseAddress } from "./members.ts";
import { Membership } from "./membership.ts";
import { MockElection } from "./mock-election.ts";
import type { NodeCore } from "./node-core.ts";
import { OperationError } from "./operations.ts";
import { OtherClusters } from "./other-clusters.ts";
import type { PeerHost } from "./peer-host.ts";
import type { PeerMemory } from "./peer-memory.ts";
import { PeerWindows } from "./peer-windows.ts";
import { introduce } from "./place.ts";
import { applyPlacement, placementStatus, setPlacement } from "./placement-operations.ts";
import type { GeoPolicies, PlacementSettings } from "./policies.ts";
import { Repairer } from "./repairer.ts";
import { linksOf, RttMatrix, toldRtts } from "./rtt-matrix.ts";
import { sendersOf } from "./senders.ts";
import { headQuestion, joinArgs, vouchArgs } from "./shapes.ts";
import { timingOf } from "./timing.ts";
import { nextFormat } from "./version-gate.ts";

const LOOK_MS = 1_000;
const FLUSH_MS = 5_000;

export interface ClusterPartParts {
  readonly core: NodeCore;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly settings: ClusterSettings;
  readonly policies: GeoPolicies;
  readonly peers: Peers;
  readonly host: PeerHost;
  readonly memory: PeerMemory;
  readonly announcement: Announcement;
  /** Ends the links. */
  readonly stopPeers: () => Promise<void>;
}

export class ClusterPart {
  readonly #parts: ClusterPartParts;
  readonly peers: Peers;
  readonly host: PeerHost;
  readonly membership: Membership;
  readonly handOver: HandOver;
  readonly geo: GeoKeeper;
  readonly #election: MockElection;
  readonly #stopped = new AbortController();
  #repairer: Repairer | null = null;
  #others: OtherClusters | null = null;
  #running: Promise<void> = Promise.resolve();
  #flushTimer: Cancel = () => {};

  constructor(parts: ClusterPartParts) {
    this.#parts = parts;
    this.peers = parts.peers;
    this.host = parts.host;
    const { core, platform, logger, peers, settings, policies } = parts;
    const { clock } = platform;
    const connected = (id: number): boolean => peers.isConnected(id);
    this.#election = new MockElection({
      core,
      call: (id, method, args, timeoutMs) => peers.call(id, method, args, timeoutMs),
    });
    this.handOver = new HandOver({ core, clock, connected, election: this.#election });
    const { handOver } = this;
    this.membership = new Membership({
      core,
      clock,
      logger,
      handOver,
      policies,
      connected,
      answers: (id) =>
        peers.call(id, "present", null, core.driver.consensus.electionMs).then(
          (answer) => answer === true,
          () => false,
        ),
      ask: (address, method, args, timeoutMs) => peers.ask(address, method, args, timeoutMs),
      ownPeer: settings.advertised.peer,
    });
    const { membership } = this;
    const matrix = (): RttMatrix => this.matrix();
    this.geo = new GeoKeeper({
      core,
      clock,
      logger: logger.with({ part: "placement" }),
      policies,
      settings,
      membership,
      handOver,
      connected,
      matrix,
      windows: new PeerWindows(core, settings.wanWindowBytes, peers),
    });
  }

  /** What is known now of how far the regions are from each other. */
  matrix(): RttMatrix {
    const { core, host, peers, policies } = this.#parts;
    const regionOf = new Map(
      [...core.state.members.values()].map(({ id, region }) => [id, region]),
    );
    const links = [...host.statuses].flatMap(([id, { rtts }]) => linksOf(id, rtts));
    links.push(...linksOf(this.#ownId, toldRtts(peers.reports())));
    return new RttMatrix(regionOf, links, (from, to) => policies.estimateRttMs(from, to));
  }

  get #ownId(): number {
    return this.#parts.core.log.identity.raftId;
  }

  /** What voters in these regions do not stand; sentences. */
  lint(voterRegions: readonly string[]): readonly string[] {
    const { core, policies } = this.#parts;
    const regions = [...core.state.members.values()].map(({ region }) => region);
    return policies.lint(voterRegions, regions);
  }

  /** Regions whose loss would stop commits, where it need not be so: there are three. */
  needlesslyCritical(): readonly string[] {
    const { core, policies } = this.#parts;
    const { members, conf } = core.state;
    if (new Set([...members.values()].map(({ region }) => region)).size < 3) return [];
    return policies.criticalRegions(conf.voters.map((id) => members.get(id)?.region ?? ""));
  }

  /** As of what is applied. */
  timingChanged(): void {
    const { core, settings } = this.#parts;
    core.driver.consensus.setTiming(timingOf(settings, core.state.heartbeatMs));
  }

  /** The leader's part of it. */
  provide(provide: Provide, operations: LeaderOperations): void {
    const { membership } = this;
    provide("addMember", (address: string) => membership.add(address));
    provide("promoteMember", (member: string) => membership.promote(member));
    provide("demoteMember", (member: string) => membership.demote(member));
    provide("removeMember", (member: string) => membership.remove(member));
    provide("replaceMember", (old: string, fresh: string) => membership.replace(old, fresh));
    provide("transferLeader", (member: string) => this.handOver.transfer(member));
    const { core } = this.#parts;
    provide("placement", async () => placementStatus(core, this));
    provide("setPlacement", (change: Partial<PlacementSettings>) =>
      setPlacement(core, this, change),
    );
    provide("applyPlacement", () => applyPlacement(core, this));
    provide("join", (announcement: Announcement, history: History) =>
      membership.join(announcement, history),
    );
    provide("metCluster", (met: MetCluster) => operations.metCluster(met));
    provide("announce", (id: number, announcement: Announcement) =>
      operations.announce(id, announcement),
    );
  }

  begin(leader: LeaderCalls, neededFrom: () => number): void {
    const { core, host, peers, platform, logger } = this.#parts;
    host.neededFrom = neededFrom;
    host.rtts = () => toldRtts(peers.reports());
    this.#election.answer(host.calls);
    host.calls.set("present", async () => core.driver.consensus.fenced === null);
    host.calls.set("introduce", async (caller) => {
      const known = core.state.members.get(core.driver.consensus.node.leader);
      return introduce(core.state.first, core.log.identity, caller.diskUuid, known?.peer ?? "");
    });
    host.calls.set("join", (caller, args) => {
      const { announcement, history } = shaped(joinArgs, args, "join");
      // Whoever asks speaks for its own disk.
      if (announcement.diskUuid !== caller.diskUuid)
        throw new CallFailed("invalid", "A node joins with its own disk");
      return leader.onLeader("join", announcement, history ?? "all");
    });
    host.calls.set("head", (_caller, args) => headPiece(core, shaped(headQuestion, args, "head")));
    host.calls.set("vouch", async (_caller, args) => {
      const { raftId, diskUuid } = shaped(vouchArgs, args, "vouch");
      return core.state.members.get(raftId)?.diskUuid === diskUuid;
    });
    host.calls.set("operation", (caller, args) => {
      if (core.state.members.has(caller.raftId)) return leader.serve(args);
      throw new OperationError("invalid", "Operations are for members only");
    });
    host.onLinks = () => {
      core.driver.consensus.roleChanged.wake();
      core.driver.progressed.wake();
    };
    const others = new OtherClusters({
      core,
      clock: platform.clock,
      logger,
      discovery: this.#parts.settings.discovery,
      ownPeer: this.#parts.settings.advertised.peer,
      whoIs: (address) => whoIs(platform, host, address),
      tell: (met) => leader.onLeader("metCluster", met),
    });
    this.#others = others;
    host.onOtherCluster = (met) => others.met(met);
    host.admit(sendersOf(core, peers, platform.clock));
    this.membersChanged();
    const repairer = new Repairer(core, platform.clock, peers, logger.with({ part: "repair" }));
    this.#repairer = repairer;
    const keptFrom = (): number =>
      Math.max(0, ...[...host.statuses.values()].map((status) => status.keptFrom));
    this.#running = Promise.all([
      new FullDisk(core.log, platform.clock, logger, keptFrom).run(this.#stopped.signal),
      this.#keepAnnouncing(leader),
      this.geo.run(this.#stopped.signal),
      repairer.run(this.#stopped.signal),
      others.run(this.#stopped.signal),
    ]).then(() => {});
    this.#flushLater();
  }

  get repairedEntries(): number {
    return this.#repairer?.repaired ?? 0;
  }

  /** That another cluster was met; null when none was, lately. */
  get otherClusterAlarm(): string | null {
    return this.#others?.alarm ?? null;
  }

  /** Damage here that no peer could mend when it was tried last. */
  get hopelessDamage(): DamagedRange | null {
    return this.#repairer?.hopeless ?? null;
  }

  /** Whom to be linked with, as of what is applied. */
  membersChanged(): void {
    const { core, host, peers } = this.#parts;
    host.senders?.membersChanged();
    const others: Member[] = [...core.state.members.values()].filter(
      ({ id }) => id !== this.#ownId,
    );
    peers.setMembers(
      others.flatMap(({ id, name, peer }) => {
        const address = parseAddress(peer);
        return address === null ? [] : [{ raftId: id, name, address }];
      }),
      core.state.highestId,
    );
  }

  /** Enough voters have room on their disks for more than what is on its way. */
  get quorumHasSpace(): boolean {
    const { core, host } = this.#parts;
    const { voters, votersOutgoing } = core.state.conf;
    const hasSpace = (id: number): boolean =>
      id === this.#ownId ? !core.log.full : host.hasSpace(id);
    const isQuorum = (ids: readonly number[]): boolean =>
      ids.length === 0 || 2 * ids.filter(hasSpace).length > ids.length;
    return !core.log.full && isQuorum(voters) && isQuorum(votersOutgoing);
  }

  /** The first entry that a member, or a reader of its, still needs. */
  slowestEntry(): number {
    const { core, host } = this.#parts;
    let slowest = Number.MAX_SAFE_INTEGER;
    const { progress } = core.driver.consensus.node.raft.tracker;
    for (const { id } of core.state.members.values()) {
      if (id === this.#ownId) continue;
      const match = progress.get(id)?.match ?? 0;
      slowest = Math.min(slowest, match + 1, host.statuses.get(id)?.neededFrom ?? slowest);
    }
    return slowest;
  }

  /** Until the log says of this node what is true; and, while it leads, lifts the format. */
  async #keepAnnouncing(leader: LeaderCalls): Promise<void> {
    const { core, platform, announcement, logger } = this.#parts;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const { driver, state } = core;
      const known = state.members.get(this.#ownId);
      const isMember =
        known !== undefined || driver.consensus.node.raft.tracker.progress.has(this.#ownId);
      const differs = Object.entries(announcement).some(
        ([key, value]) => known?.[key as keyof Announcement] !== value,
      );
      try {
        const canAsk = driver.consensus.node.leader !== 0 && driver.consensus.fenced === null;
        if (isMember && differs && canAsk)
          await leader.onLeader("announce", this.#ownId, announcement);
        const format = nextFormat(state);
        if (driver.leads && format !== null)
          await driver.command({ type: "set-format", version: format });
      } catch (error) {
        logger.debug("This node could not announce itself", { reason: (error as Error).message });
      }
      await delay(platform.clock, LOOK_MS, signal);
    }
  }

  #flushLater(): void {
    const { platform, memory, logger } = this.#parts;
    this.#flushTimer = platform.clock.after(FLUSH_MS, () => {
      memory
        .flush()
        .catch((error: Error) =>
          logger.warn("node.state cannot be written", { reason: error.message }),
        )
        .finally(() => {
          if (!this.#stopped.signal.aborted) this.#flushLater();
        });
    });
  }

  /** Hands leadership over, if this node leads and somebody can take it. */
  async leave(): Promise<void> {
    this.#stopped.abort();
    await this.handOver.leave();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#flushTimer();
    await this.#running;
    await this.#parts.stopPeers();
    await this.#parts.memory.flush().catch(() => {});
  }
}

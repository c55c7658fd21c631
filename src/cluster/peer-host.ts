/**
 * What this node is to its peers: who it says it is, whom it takes, and what it does with what they
 * send (contract: peers/peers.ts). Before it has a place in a cluster it only answers calls.
 */
import { MalformedBytes } from "../base/bytes.ts";
import type { Logger } from "../base/logger.ts";
import { CallFailed } from "../peers/calls.ts";
import type { PeerCredentials } from "../peers/handshake.ts";
import type { PeersHost } from "../peers/host.ts";
import { packMethods } from "../peers/packing.ts";
import {
  type Hello,
  type MetCluster,
  Nonsense,
  PROTOCOL_VERSION,
  type Refusal,
} from "../peers/protocol.ts";
import { shaped } from "../peers/shapes.ts";
import type { Platform } from "../platform/platform.ts";
import type { Entry, Message } from "../raft/types.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import { judge } from "./judge.ts";
import { meaningOf, standingOf } from "./message-edge.ts";
import type { NodeCore } from "./node-core.ts";
import type { PeerMemory, Shown } from "./peer-memory.ts";
import type { ToldRtts } from "./rtt-matrix.ts";
import type { Senders } from "./senders.ts";
import { peerStatus } from "./shapes.ts";
import { snapshotTrouble } from "./snapshot-check.ts";

const FETCH_BYTES = 1024 * 1024;
/** Reasons that are not said again. */
const MAX_TOLD = 64;
/** Refusals that are about this node's disk, not about a moment or an address. */
const FINAL: ReadonlySet<Refusal["code"]> = new Set(["removed", "other-disk", "clone", "reverted"]);

export interface PeerHostParts {
  readonly platform: Platform;
  readonly logger: Logger;
  readonly settings: ClusterSettings;
  readonly memory: PeerMemory;
  readonly name: string;
  readonly region: string;
  readonly version: string;
  readonly nonce: string;
}

export type CallHandler = (caller: Hello, args: unknown) => Promise<unknown>;

/** What a node tells the others once a second. */
export interface PeerStatus extends Shown {
  readonly applied: number;
  /** Its disk has no room for a further segment. */
  readonly full: boolean;
  /** What was committed lets all entries before this one go; 0: nothing was purged. */
  readonly keptFrom: number;
  /** The first entry that a reader of its own still needs. */
  readonly neededFrom: number;
  readonly hash: { readonly index: number; readonly hash: number } | null;
  /** How far it is to others, as it measures; absent of an older version. */
  readonly rtts?: ToldRtts;
}

export class PeerHost implements PeersHost {
  readonly #parts: PeerHostParts;
  #core: NodeCore | null = null;
  /** Set while the node has one. */
  neededFrom: () => number = () => Number.MAX_SAFE_INTEGER;
  /** What the links measure. */
  rtts: () => ToldRtts = () => [];
  /** By method. */
  readonly calls: Map<string, CallHandler> = new Map();
  /** The last of each peer. */
  readonly statuses: Map<number, PeerStatus> = new Map();
  /** Peers whose hash differed from ours: one of us has other bytes. */
  readonly mismatched: Map<number, number> = new Map();
  onLinks: () => void = () => {};
  /** A node of another cluster, that knows our secret, was met. */
  onOtherCluster: (met: MetCluster) => void = () => {};

  /** Null until this node runs: before that nobody's messages are taken. */
  senders: Senders | null = null;
  /** The disks of those that are linked, by their own word. */
  readonly #disks = new Map<number, string>();
  /** What came and was passed over, by reason; and what ended a link. */
  readonly passedOver: { stranger: number; useless: number; nonsense: number } = {
    stranger: 0,
    useless: 0,
    nonsense: 0,
  };

  readonly #told = new Set<string>();

  constructor(parts: PeerHostParts) {
    this.#parts = parts;
  }

  /** The node has a place and a log from now on. */
  adopt(core: NodeCore): void {
    this.#core = core;
    const { members } = core.state;
    this.#parts.memory.isMember = (uuid) =>
      [...members.values()].some(({ diskUuid }) => diskUuid === uuid);
  }

  /** From now on Raft messages are taken, of whom these let in. */
  admit(senders: Senders): void {
    this.senders = senders;
  }

  get raftId(): number {
    return this.#core?.log.identity.raftId ?? 0;
  }

  credentials(): Promise<PeerCredentials> {
    return this.#parts.settings.credentials();
  }

  hello(): Hello {
    const { memory, settings, name, region, version, nonce, platform } = this.#parts;
    const log = this.#core?.log ?? null;
    const lastIndex = log?.lastIndex ?? 0;
    return {
      protocol: PROTOCOL_VERSION,
      clusterId: log?.identity.clusterId ?? "",
      foundedMs: log?.identity.foundedMs ?? null,
      raftId: log?.identity.raftId ?? 0,
      diskUuid: log?.identity.diskUuid ?? memory.diskUuid,
      name,
      version,
      boots: memory.boots,
      nonce,
      term: log?.hardState.term ?? 0,
      vote: log?.hardState.vote ?? 0,
      lastTerm: log?.term(lastIndex) ?? 0,
      lastIndex,
      installs: log?.installs ?? 0,
      heartbeatMs: settings.heartbeatMs,
      electionMs: settings.electionMs,
      region,
      unpacks: packMethods(platform.compress),
    };
  }

  judge(hello: Hello): Refusal | null {
    const core = this.#core;
    if (core === null) return null;
    const { members, highestId } = core.state;
    const refusal = judge(hello, {
      own: { ...core.log.identity, nonce: this.#parts.nonce },
      members,
      highestId,
      remembered: (uuid) => this.#parts.memory.of(uuid),
      acknowledged: (id) => acknowledged(core, id),
    });
    if (refusal !== null && refusal.code !== "unknown") this.#tellOf(refusal.message);
    if (refusal?.code === "other-cluster") this.onOtherCluster(hello);
    const { heartbeatMs, electionMs } = this.#parts.settings;
    if (hello.heartbeatMs !== heartbeatMs || hello.electionMs !== electionMs) {
      this.#parts.logger.warn(
        "cluster.heartbeat_ms and cluster.election_ms are to be the same on all nodes",
        { node: hello.name, heartbeatMs: hello.heartbeatMs, electionMs: hello.electionMs },
      );
    }
    return refusal;
  }

  /** It comes again and again; what is the matter with it is said once, until it is another matter. */
  #tellOf(reason: string): void {
    if (this.#told.has(reason)) return;
    if (this.#told.size >= MAX_TOLD) this.#told.clear();
    this.#told.add(reason);
    this.#parts.logger.warn("A node is not let in", { reason });
  }

  packsFor(hello: Hello): boolean {
    const { settings, region } = this.#parts;
    if (settings.compress !== "auto") return settings.compress === "always";
    return (hello.region ?? region) !== region;
  }

  async remember(hello: Hello): Promise<void> {
    const { raftId, diskUuid } = hello;
    this.#disks.set(raftId, diskUuid);
    const members = [...(this.#core?.state.members.values() ?? [])];
    // What is known of a member's disk is not for somebody else to say.
    if (members.some((one) => one.diskUuid === diskUuid && one.id !== raftId)) return;
    return this.#parts.memory.greet(hello);
  }

  status(): PeerStatus {
    const core = this.#core!;
    const { lastIndex, hardState } = core.log;
    return {
      term: hardState.term,
      vote: hardState.vote,
      lastTerm: core.log.term(lastIndex) ?? 0,
      lastIndex,
      installs: core.log.installs,
      applied: core.driver.applied,
      full: core.log.full,
      // One that joined from now has less than the cluster keeps, and was told of no purge.
      keptFrom: core.state.startsAt > 0 ? 0 : (core.state.stream.files[0]?.startEntry ?? 0),
      neededFrom: Math.min(this.neededFrom(), Number.MAX_SAFE_INTEGER),
      hash: core.driver.hashes.newest(),
      rtts: this.rtts(),
    };
  }

  onStatus(raftId: number, given: unknown): void {
    const core = this.#core;
    const status = shaped(peerStatus, given, "status");
    const member = core?.state.members.get(raftId);
    // What is done with it (space, purges, how far members are) is for members.
    if (core === null || this.senders?.isMember(raftId) !== true) return;
    const hadSpace = this.hasSpace(raftId);
    this.statuses.set(raftId, status);
    // Who pulls may have waited for just this.
    if (!hadSpace) core.driver.progressed.wake();
    if (member !== undefined) this.#parts.memory.saw(member.diskUuid, status);
    const { hash } = status;
    if (hash === null || core.driver.hashes.agrees(hash.index, hash.hash) !== false) return;
    if (!this.mismatched.has(raftId)) {
      this.#parts.logger.error("The entries of another node are not those of this one", {
        node: member?.name ?? raftId,
        upTo: hash.index,
      });
    }
    this.mismatched.set(raftId, hash.index);
  }

  /** It said so; who was not heard of yet has none. */
  hasSpace(raftId: number): boolean {
    return this.statuses.get(raftId)?.full === false;
  }

  onMessage(message: Message): void {
    const core = this.#core;
    const { senders } = this;
    if (core === null || senders === null) return;
    if (!senders.counts(message.from, this.#disks.get(message.from) ?? "")) {
      this.passedOver.stranger++;
      return;
    }
    const { consensus } = core.driver;
    const meaning = meaningOf(message, standingOf(consensus.node));
    const nonsense =
      typeof meaning === "object"
        ? meaning.nonsense
        : snapshotTrouble(message, consensus.node.commit);
    if (nonsense !== null) {
      this.passedOver.nonsense++;
      throw new Nonsense(nonsense);
    }
    if (meaning === "drop") {
      this.passedOver.useless++;
      return;
    }
    senders.note(message);
    consensus.step(message);
  }

  onDropped(raftId: number): void {
    this.#core?.driver.consensus.unreachable(raftId);
  }

  async onCall(caller: Hello, method: string, args: unknown): Promise<unknown> {
    const handler = this.calls.get(method);
    if (handler === undefined)
      throw new CallFailed("invalid", `This node knows no call "${method}"`);
    try {
      return await handler(caller, args);
    } catch (error) {
      if (error instanceof MalformedBytes) throw new CallFailed("invalid", error.message);
      throw error;
    }
  }

  onGuest(hello: Hello): void {
    const own = this.#core?.log.identity.clusterId;
    if (own !== undefined && hello.clusterId !== "" && hello.clusterId !== own)
      this.onOtherCluster(hello);
  }

  /** Committed entries that this node has applied, as many as make about a MiB. */
  async onFetch(first: number, last: number): Promise<readonly Entry[]> {
    const core = this.#core;
    if (core === null) throw new CallFailed("unavailable", "This node has no log yet");
    const end = Math.min(last, core.driver.applied);
    if (!(first >= core.log.firstIndex && first <= end))
      throw new CallFailed("not-found", `This node has no applied entry ${first}`);
    const lease = await core.log.read(first, FETCH_BYTES);
    try {
      return lease.entries
        .filter(({ index }) => index >= first && index <= end)
        .map((entry) => ({ ...entry, data: entry.data.slice() }));
    } finally {
      lease.release();
    }
  }

  onRefused(_raftId: number, refusal: Refusal): void {
    if (refusal.cluster !== undefined) this.onOtherCluster(refusal.cluster);
    if (this.#core !== null && FINAL.has(refusal.code))
      this.#core.driver.consensus.fence(refusal.message);
  }

  onLinkChange(raftId: number): void {
    // What was on its way may be lost with the link that it was on.
    this.#core?.driver.consensus.unreachable(raftId);
    this.statuses.delete(raftId);
    this.mismatched.delete(raftId);
    this.onLinks();
  }

  /** A large payload goes into a buffer of the pool, which gets it back when nobody reads it. */
  own(payload: Uint8Array): Uint8Array {
    const pool = this.#core?.pool;
    if (
      pool === undefined ||
      payload.length > pool.bufferBytes ||
      payload.length < pool.bufferBytes / 2
    )
      return payload.slice();
    const buffer = pool.take();
    buffer.set(payload);
    return buffer.subarray(0, payload.length);
  }
}

function acknowledged(
  { driver }: NodeCore,
  raftId: number,
): { readonly term: number; readonly index: number } | null {
  const { role, raft } = driver.consensus.node;
  const match = raft.tracker.progress.get(raftId)?.match;
  return role === "leader" && match !== undefined ? { term: driver.term, index: match } : null;
}

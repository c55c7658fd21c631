/**
 * One node, composed: log, Raft core, apply, syncer, binlog server. What it is made of is given
 * in; what it does is in the parts. Start order: log → apply what is committed → serve → lead →
 * pull. Stop order is the reverse, and ends with a checkpoint, so that the next start is quick.
 */
import { BufferPool } from "../base/buffer-pool.ts";
import type { Logger } from "../base/logger.ts";
import type { Platform } from "../platform/platform.ts";
import { DEFAULT_RAFT_CONFIG } from "../raft/config.ts";
import { RawNode } from "../raft/raw-node.ts";
import { EMPTY_CONF_STATE, type RaftLogger } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import { openLog } from "../storage/open.ts";
import { type Checkpoint, logCorrupt, type Salvage } from "../storage/storage.ts";
import { STREAM_BUFFER_BYTES } from "../syncer/chunk-body.ts";
import { PENDING_BYTES } from "../syncer/pull-stream.ts";
import { Consensus } from "./consensus.ts";
import type { RaftTiming } from "./consensus-parts.ts";
import { Driver } from "./driver.ts";
import { NO_LINKS, type PeerLinks } from "./links.ts";
import { type FirstState, NodeState } from "./node-state.ts";
import { NEAR_WINDOW_BYTES } from "./peer-windows.ts";
import { LogStorage } from "./raft-storage.ts";
import { timingOf } from "./timing.ts";

export interface NodeOptions {
  readonly dataDir: string;
  readonly segmentBytes: number;
  readonly onFatal: (error: Error) => void;
  readonly salvage?: Salvage | null;
  /** Null: a cluster of one. */
  readonly cluster: ClusterOptions | null;
  /** The standard one when absent; tests give less, so that what is read leaves memory again. */
  readonly memory?: MemoryBudget;
}

/** For entries in memory. */
export interface MemoryBudget {
  /** Of the newest ones, and of blocks that were read from the disk. */
  readonly hotBytes: number;
  readonly blockBytes: number;
}

export interface ClusterOptions {
  readonly links: PeerLinks;
  readonly timing: RaftTiming;
  /** Of a fresh data directory: which node it becomes, and what all begin with. */
  readonly identity: {
    readonly raftId: number;
    readonly clusterId?: string;
    readonly diskUuid?: string;
    readonly foundedMs?: number | null;
  };
  readonly first: FirstState;
  /** What a log that holds nothing begins behind; null: with the first entry. */
  readonly head: (() => Promise<Checkpoint | null>) | null;
}

const ALONE: RaftTiming = { heartbeatMs: 100, electionMs: 1000 };

/** Together with what is pending and the runtime itself under 200 MiB. */
const MEMORY: MemoryBudget = { hotBytes: 24 * 1024 * 1024, blockBytes: 16 * 1024 * 1024 };
/**
 * As many as the hot tail, the blocks and what is pending can have in use at once: a buffer that
 * the pool turned away would be garbage, and there is time for hundreds of MiB of it between two
 * collections.
 */
const SPARE_BUFFERS = Math.ceil(
  (MEMORY.hotBytes + MEMORY.blockBytes + PENDING_BYTES) / STREAM_BUFFER_BYTES,
);

/** The parts of a node that hold its data. */
export interface NodeCore {
  readonly log: DurableLog;
  readonly state: NodeState;
  readonly driver: Driver;
  readonly pool: BufferPool;
}

/** Opens the data directory; `driver.recover` brings the state up to what is known to be committed. */
export async function openCore(
  platform: Platform,
  logger: Logger,
  options: NodeOptions,
): Promise<NodeCore> {
  const { cluster } = options;
  const disk = platform.disk(options.dataDir);
  const pool = new BufferPool(STREAM_BUFFER_BYTES, SPARE_BUFFERS);
  const log = await openLog(disk, platform.clock, platform.crypto.crc32, {
    segmentBytes: options.segmentBytes,
    ...(options.memory ?? MEMORY),
    pool,
    // Asked for by a later append, when the state is there.
    checkpoint: () => checkpointOf(log, state),
    onFatal: options.onFatal,
    salvage: options.salvage ?? null,
    identity: cluster?.identity ?? { raftId: 1 },
    random: (length) => platform.random.bytes(length),
    report: (message) => logger.warn(message),
  });
  const head = log.isFresh ? ((await cluster?.head?.()) ?? null) : null;
  if (head !== null) await log.install(head, { term: head.term, vote: 0, commit: head.index });
  const state = await restore(log, cluster, disk.root);
  if (options.salvage !== "look") await log.keepTwoCheckpoints();
  const { applied } = state.stream;
  const timing = timingOf(cluster?.timing ?? ALONE, state.heartbeatMs);
  // History begins with the oldest file; without any, with whatever comes next.
  const floor = (): number => state.stream.files[0]?.startEntry ?? state.stream.applied + 1;
  const storage = new LogStorage(log, applied, state.conf, floor);
  const node = new RawNode({
    ...DEFAULT_RAFT_CONFIG,
    id: log.identity.raftId,
    storage,
    applied,
    electionTick: Math.max(2, Math.round(timing.electionMs / timing.heartbeatMs)),
    random: (below) => platform.random.u32() % below,
    logger: raftLogger(logger),
    asyncStorageWrites: true,
    deliverCommitted: false,
    maxInflightBytes: NEAR_WINDOW_BYTES,
    disableProposalForwarding: true,
  });
  const consensus = new Consensus({
    node,
    log,
    storage,
    links: cluster?.links ?? NO_LINKS,
    clock: platform.clock,
    logger,
    timing,
    random: (length) => platform.random.bytes(length),
  });
  const { clock } = platform;
  const { crc32 } = platform.crypto;
  const driver = new Driver({ consensus, log, state, logger, crc32, clock });
  return { log, state, driver, pool };
}

/** What apply had built when the newest checkpoint was written. */
async function restore(
  log: DurableLog,
  cluster: ClusterOptions | null,
  dataDir: string,
): Promise<NodeState> {
  if (log.checkpoint === null && !log.isFresh)
    throw logCorrupt(
      dataDir,
      "has no checkpoint that can be read: who its members are is not known",
    );
  if (log.checkpoint === null) {
    const { raftId } = log.identity;
    const alone = { conf: { ...EMPTY_CONF_STATE, voters: [raftId] }, members: [] };
    const state = new NodeState(cluster?.first ?? alone);
    // From now on the log knows with whom it began, whatever the options say at the next start.
    await log.saveCheckpoint(checkpointOf(log, state));
  }
  return NodeState.decode(log.checkpoint!.data);
}

function raftLogger(logger: Logger): RaftLogger {
  return {
    debug: (line) => logger.debug(line),
    info: (line) => logger.debug(line),
    warn: (line) => logger.warn(line),
    error: (line) => logger.error(line),
  };
}

/** What to restart from: all that apply has built so far. */
export function checkpointOf(
  log: DurableLog,
  state: NodeState,
): { index: number; term: number; data: Uint8Array } {
  const index = state.stream.applied;
  return { index, term: log.term(index) ?? 0, data: state.encode() };
}

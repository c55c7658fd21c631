/**
 * Making a new cluster out of one log, offline: after a quorum was lost for good (`recover`), or from a
 * backup (`restore`). The log keeps all its entries; behind them stand two that take all old members out
 * and put this disk in, as the only voter, under a new id. The new cluster has a new cluster id: nodes of
 * the old one are told so and are not let in, so what they hold cannot come back.
 *
 * A log that is damaged where it must be read is refused, or cut before the damage (`salvage`).
 *
 * All that is in the log counts as committed from then on, also what was not known to be: the source was
 * not told of it, and has it.
 */
import { BufferPool } from "../base/buffer-pool.ts";
import { toHex } from "../base/bytes.ts";
import type { Logger } from "../base/logger.ts";
import type { Platform } from "../platform/platform.ts";
import { type ConfChangeStep, encodeConfChange, LEAVE_JOINT } from "../raft/conf-change.ts";
import { type Entry, EntryType } from "../raft/types.ts";
import type { DurableLog } from "../storage/log.ts";
import { ManifestStore } from "../storage/manifest.ts";
import { openLog } from "../storage/open.ts";
import { LogCorrupt, type Salvage } from "../storage/storage.ts";
import { BackupReader } from "./backup.ts";
import { encodeCommand } from "./command.ts";
import { encodeContext } from "./member-context.ts";
import { type Announcement, type Member, membersOf } from "./members.ts";
import { type NodeCore, openCore } from "./node-core.ts";
import { PeerMemory } from "./peer-memory.ts";

const BATCH_BYTES = 4 * 1024 * 1024;
const MADE_OF_A_LOG =
  "This cluster was made of a log or a backup: its syncer stays stopped until binraft syncer start, since another " +
  "cluster may still acknowledge for the source";

export interface RefoundParts {
  readonly platform: Platform;
  readonly logger: Logger;
  readonly dataDir: string;
  readonly segmentBytes: number;
  /** Goes on with a log that is damaged where it must be read: it is cut where it is whole. */
  readonly salvage: boolean;
  readonly announcement: Omit<Announcement, "diskUuid">;
}

/** What a log holds, for who is to decide whether a new cluster is made of it. */
export interface LogSummary {
  readonly clusterId: string;
  readonly raftId: number;
  readonly diskUuid: string;
  readonly members: readonly Member[];
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Entries from the first damaged one on that a salvage drops. */
  readonly damaged: number;
  readonly lastTerm: number;
  /** Known to be committed; what is behind it may or may not be. */
  readonly commit: number;
  readonly executed: string;
}

/** Changes nothing. Rejects with LogCorrupt, DiskError. */
export async function summarize(parts: RefoundParts): Promise<LogSummary> {
  return withCore(parts, parts.salvage ? "look" : null, async (core) => {
    const { log, state, driver } = core;
    const lastIndex = lastReadable(core);
    return {
      ...log.identity,
      members: [...state.members.values()],
      firstIndex: log.firstIndex,
      lastIndex,
      damaged: log.lastIndex - lastIndex,
      lastTerm: log.term(lastIndex) ?? 0,
      commit: Math.min(driver.commit, lastIndex),
      executed: state.stream.executed.toString(),
    };
  });
}

function lastReadable({ log, driver }: NodeCore): number {
  return driver.damaged === null ? log.lastIndex : driver.damaged.index - 1;
}

/** Resolves with the new cluster's id. Rejects with LogCorrupt where only a salvage helps. */
export async function refound(parts: RefoundParts): Promise<string> {
  const salvage = parts.salvage ? "cut" : null;
  // What counts as committed by this is applied when the log is opened again, and may be damaged, too.
  for (let isWhole = false; !isWhole; ) {
    isWhole = await withCore(parts, salvage, async (core) => {
      const commit = lastReadable(core);
      const cut = core.log.lastIndex > commit ? { truncateAfter: commit } : {};
      if (cut.truncateAfter !== undefined && !parts.salvage) throw onlySalvage(core, commit);
      const hardState = { ...core.log.hardState, commit };
      await core.log.append({ hardState, entries: [], ...cut });
      return core.driver.applied === commit;
    });
  }
  const raftId = await withCore(parts, salvage, (core) =>
    appendNewCluster(core, parts.announcement),
  );
  const { platform, dataDir } = parts;
  const disk = platform.disk(dataDir);
  const clusterId = toHex(platform.random.bytes(16));
  const release = await disk.lock();
  try {
    const store = new ManifestStore(disk, platform.crypto.crc32);
    const manifest = (await store.read())!;
    const { diskUuid } = manifest.identity;
    await store.write({ ...manifest, identity: { diskUuid, clusterId, raftId, foundedMs: null } });
    const memory = await PeerMemory.open(disk, platform.crypto.crc32, () => diskUuid);
    memory.forget(new Set());
    await memory.flush();
  } finally {
    await release();
  }
  return clusterId;
}

function onlySalvage({ log }: NodeCore, lastIndex: number): LogCorrupt {
  return new LogCorrupt(
    `Entry ${lastIndex + 1} of the log is damaged: nothing behind it can be used. binraft recover --salvage keeps ` +
      `the entries before it and drops those up to ${log.lastIndex}`,
  );
}

/** Into an empty directory; resolves with the new cluster's id. Rejects with MalformedBytes, DiskError. */
export async function restore(
  parts: RefoundParts,
  chunks: AsyncIterable<Uint8Array>,
): Promise<string> {
  const reader = new BackupReader(chunks, parts.platform.crypto.crc32);
  const { base } = await reader.head();
  await withLog(parts, async (log) => {
    const hardState = { term: base.term, vote: 0, commit: base.index };
    await log.install(base, hardState);
    let batch: Entry[] = [];
    let bytes = 0;
    const write = async (): Promise<void> => {
      const last = batch.at(-1);
      if (last === undefined) return;
      await log.append({
        hardState: { term: last.term, vote: 0, commit: last.index },
        entries: batch,
      });
      batch = [];
      bytes = 0;
    };
    for await (const entry of reader.entries()) {
      batch.push(entry);
      bytes += entry.data.length;
      if (bytes >= BATCH_BYTES) await write();
    }
    await write();
  });
  return refound(parts);
}

async function withCore<T>(
  parts: RefoundParts,
  salvage: Salvage | null,
  work: (core: NodeCore) => Promise<T>,
): Promise<T> {
  let failure: Error | null = null;
  const core = await openCore(parts.platform, parts.logger, {
    dataDir: parts.dataDir,
    segmentBytes: parts.segmentBytes,
    onFatal: (error) => {
      failure = error;
    },
    cluster: null,
    salvage,
  });
  try {
    await core.driver.recover();
    const result = await work(core);
    if (failure !== null) throw failure;
    return result;
  } finally {
    await core.log.close();
  }
}

/** A fresh log, and nothing that applies what is written to it. */
async function withLog(
  { platform, logger, dataDir, segmentBytes }: RefoundParts,
  work: (log: DurableLog) => Promise<void>,
): Promise<void> {
  let failure: Error | null = null;
  const log = await openLog(platform.disk(dataDir), platform.clock, platform.crypto.crc32, {
    segmentBytes,
    hotBytes: BATCH_BYTES,
    blockBytes: BATCH_BYTES,
    pool: new BufferPool(BATCH_BYTES, 0),
    // The only state that there is of it is the one that it begins with.
    checkpoint: () => null,
    onFatal: (error) => {
      failure = error;
    },
    identity: { raftId: 1 },
    random: (length) => platform.random.bytes(length),
    report: (message) => logger.warn(message),
  });
  try {
    await work(log);
    if (failure !== null) throw failure;
  } finally {
    await log.close();
  }
}

async function appendNewCluster(
  { log, state }: NodeCore,
  announcement: RefoundParts["announcement"],
): Promise<number> {
  const { conf, highestId } = state;
  const id = highestId + 1;
  const member: Member = {
    ...announcement,
    diskUuid: log.identity.diskUuid,
    id,
    server: "running",
  };
  const changes: ConfChangeStep[] = [
    ...membersOf(conf).map((old) => ({ type: "remove-node" as const, id: old })),
    { type: "add-node", id },
  ];
  const enter = { transition: "explicit" as const, changes, context: encodeContext(member) };
  // A joint configuration must be left before the next one is entered.
  const steps = [...(conf.votersOutgoing.length > 0 ? [LEAVE_JOINT] : []), enter, LEAVE_JOINT];
  const term = Math.max(log.hardState.term, log.term(log.lastIndex) ?? 0) + 1;
  const first = log.lastIndex + 1;
  const changed = steps.map((step) => ({
    type: EntryType.CONF_CHANGE_V2,
    data: encodeConfChange(step),
  }));
  // The old cluster, or the production from which a backup is, may still acknowledge for the source.
  const stop = { type: "set-syncer", wanted: "stopped", because: MADE_OF_A_LOG } as const;
  const stopped = { type: EntryType.NORMAL, data: encodeCommand(stop) };
  const entries = [...changed, stopped].map((entry, at) => ({ index: first + at, term, ...entry }));
  const commit = first + entries.length - 1;
  await log.append({ hardState: { term, vote: 0, commit }, entries });
  return id;
}

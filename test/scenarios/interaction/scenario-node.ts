/**
 * One node of an interaction: its core, its log in memory, and the work that its storage threads
 * have not done yet. The application appends payloads to each other; a snapshot is kept of the
 * state after every entry.
 */
import { decodeConfChange } from "../../../src/raft/conf-change.ts";
import type { RaftConfig } from "../../../src/raft/config.ts";
import { RawNode } from "../../../src/raft/raw-node.ts";
import type { ConfState, HardState, Message, Snapshot } from "../../../src/raft/types.ts";
import { EMPTY_SNAPSHOT, type Entry, EntryType } from "../../../src/raft/types.ts";
import { Refused } from "../refused.ts";
import { ScenarioStorage } from "./scenario-storage.ts";

export class ScenarioNode {
  readonly config: RaftConfig;
  raw: RawNode;
  readonly storage: ScenarioStorage;
  readonly appendWork: Message[] = [];
  readonly applyWork: Message[] = [];

  /** Starts from `snapshot` unless that is null. */
  constructor(
    config: Omit<RaftConfig, "storage">,
    snapshot: Snapshot | null,
    hotTail = Number.POSITIVE_INFINITY,
  ) {
    this.storage = new ScenarioStorage(snapshot ?? EMPTY_SNAPSHOT, hotTail);
    if (snapshot !== null) this.storage.applySnapshot(snapshot);
    this.config = { ...config, storage: this.storage };
    this.raw = new RawNode(this.config);
  }

  /**
   * Ends as by a power cut and starts from what is durable. The application keeps nothing of its
   * own: it starts from the first snapshot and is given what the log has behind it again.
   */
  restart(): void {
    const { storage } = this;
    const first = storage.history[0]!;
    if (storage.firstIndex() !== first.index + 1) {
      throw new Refused("its log was compacted: there is no state to start from");
    }
    storage.history.length = 1;
    this.appendWork.length = 0;
    this.applyWork.length = 0;
    this.raw = new RawNode({ ...this.config, applied: first.index });
  }

  get id(): number {
    return this.config.id;
  }

  append(hardState: HardState | null, entries: readonly Entry[], snapshot: Snapshot | null): void {
    if (hardState !== null) this.storage.setHardState(hardState);
    if (snapshot === null) {
      this.storage.append(entries);
      return;
    }
    if (entries.length > 0) throw new Refused("can't apply snapshot and entries at the same time");
    if (!this.storage.applySnapshot(snapshot)) {
      throw new Refused("requested index is older than the existing snapshot");
    }
  }

  apply(entries: readonly Entry[]): void {
    for (const { index, term, type, data } of entries) {
      const last = this.storage.snapshot();
      let conf: ConfState = last.conf;
      let added = data;
      if (type !== EntryType.NORMAL) {
        const change = decodeConfChange(data);
        conf = this.raw.applyConfChange(change);
        added = change.context;
      }
      const state = new Uint8Array(last.data.length + added.length);
      state.set(last.data);
      state.set(added, last.data.length);
      this.storage.history.push({ index, term, conf, data: state });
    }
  }
}

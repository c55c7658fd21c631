/**
 * All that apply has built: the stream's fold and the replicated settings. One value goes into a
 * checkpoint and comes back at start.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { decodePacked, encodePacked } from "../base/packed.ts";
import type { Chunk } from "../binlog/chunk.ts";
import { decodeStreamState, encodeStreamState } from "../binlog/stream-checkpoint.ts";
import { type Outcome, StreamState } from "../binlog/stream-state.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { SourceValues } from "../mysql/source-values.ts";
import { shaped } from "../peers/shapes.ts";
import type { ConfChange } from "../raft/conf-change.ts";
import type { ConfState } from "../raft/types.ts";
import {
  type AccountSettings,
  type Command,
  type RetentionSettings,
  type SourceSettings,
  unknownEntry,
} from "./command.ts";
import { memberOf } from "./member-context.ts";
import { type Member, membersOf } from "./members.ts";
import type { PlacementSettings } from "./policies.ts";
import { savedState } from "./state-shape.ts";
import { mustKnowFormat } from "./version-gate.ts";

const MOST_MET = 16;
/** 1 had no number of its own, and JSON. */
const STATE_FORMAT = 2;

export interface Settings {
  source: SourceSettings | null;
  syncer: "running" | "stopped";
  /** Why it was stopped; null: an operator wanted it. */
  stoppedBecause: string | null;
  /** Other clusters for which it was stopped once. */
  metClusters: readonly string[];
  readonly accounts: Map<string, AccountSettings>;
  /** Null until a configuration seeded it. */
  retention: RetentionSettings | null;
  placement: PlacementSettings | null;
  /** What the source said of itself last; empty until it did. */
  sourceValues: SourceValues;
}

/** Why the syncer is not to run; null when it is. */
export function whyStopped({ syncer, stoppedBecause }: Settings): string | null {
  return syncer === "running" ? null : (stoppedBecause ?? "An operator stopped it");
}

/** What a log begins with, before its first entry; the same on all nodes, for good. */
export interface FirstState {
  readonly conf: ConfState;
  readonly members: readonly Member[];
}

export class NodeState {
  readonly first: FirstState;
  /** Who votes and who learns, as of what is applied. */
  conf: ConfState;
  /** By Raft id. */
  readonly members: Map<number, Member>;
  /** The highest id ever given. */
  highestId: number;
  /** The format that may be written; see the version gate (version-gate.ts). */
  formatVersion = 1;
  /** Over all entries applied so far: equal on all nodes at the same entry (entry-hash.ts). */
  entryHash = 0;
  stream: StreamState = new StreamState();
  /** Of a node that joined from now, while others have older files: the entry that begins its first; else 0. */
  startsAt = 0;
  settings: Settings = {
    source: null,
    syncer: "running",
    stoppedBecause: null,
    metClusters: [],
    accounts: new Map(),
    retention: null,
    placement: null,
    sourceValues: {},
  };
  /** Between two heartbeats, on all nodes; 0: as each node's configuration says. */
  heartbeatMs = 0;

  constructor(first: FirstState) {
    this.first = first;
    this.conf = first.conf;
    this.members = new Map(first.members.map((member) => [member.id, member]));
    this.highestId = Math.max(0, ...membersOf(first.conf));
  }

  /** A snapshot takes the place of all that was. */
  replace(other: NodeState): void {
    this.conf = other.conf;
    this.members.clear();
    for (const [id, member] of other.members) this.members.set(id, member);
    this.highestId = other.highestId;
    this.formatVersion = other.formatVersion;
    this.entryHash = other.entryHash;
    this.startsAt = other.startsAt;
    this.heartbeatMs = other.heartbeatMs;
    this.stream = other.stream;
    this.settings = other.settings;
  }

  applyChunk(index: number, chunk: Chunk): Outcome {
    const outcome = this.stream.applyChunk(index, chunk);
    if (index === this.startsAt) {
      // Older files are of others.
      this.stream.purgeBefore(index, this.stream.file!.name);
    }
    return outcome;
  }

  /** False while what it holds is older than its first file. */
  get hasFirstFile(): boolean {
    return this.stream.applied >= this.startsAt;
  }

  /** `conf` is what the change has made of the configuration. */
  applyConfChange(index: number, change: ConfChange, conf: ConfState): void {
    this.conf = conf;
    const member = memberOf(change);
    const ids = new Set(membersOf(conf));
    if (member !== null && ids.has(member.id)) {
      this.members.set(member.id, member);
      this.highestId = Math.max(this.highestId, member.id);
    }
    for (const id of this.members.keys()) if (!ids.has(id)) this.members.delete(id);
    this.stream.pass(index);
  }

  applyCommand(index: number, command: Command): void {
    const { stream, settings } = this;
    switch (command.type) {
      case "start":
        stream.start(index, GtidSet.parse(command.purged));
        return;
      case "accept-gap":
        stream.acceptGap(index, GtidSet.parse(command.gtids));
        return;
      case "accept-unproved":
        stream.acceptUnproved(index);
        return;
      case "new-timeline":
        stream.newTimeline(index);
        return;
      case "purge":
        // Of its own files: all others lack from now on what this node never had.
        if (index > this.startsAt && stream.files.some(({ name }) => name === command.firstKept))
          this.startsAt = 0;
        stream.purgeBefore(index, command.firstKept);
        return;
      case "set-source":
        settings.source = command.source;
        break;
      case "set-syncer":
        settings.syncer = command.wanted;
        settings.stoppedBecause = command.because ?? null;
        if (command.met !== undefined)
          settings.metClusters = [...settings.metClusters, command.met].slice(-MOST_MET);
        break;
      case "set-account":
        settings.accounts.set(command.name, command.account);
        break;
      case "remove-account":
        settings.accounts.delete(command.name);
        break;
      case "announce":
        this.#amend(command.id, command.announcement);
        break;
      case "set-server":
        this.#amend(command.id, { server: command.wanted });
        break;
      case "set-retention":
        settings.retention = command.retention;
        break;
      case "set-placement":
        settings.placement = command.placement;
        break;
      case "set-timing":
        this.heartbeatMs = command.heartbeatMs;
        break;
      case "set-source-values":
        settings.sourceValues = command.values;
        break;
      case "set-format":
        this.formatVersion = Math.max(this.formatVersion, command.version);
        mustKnowFormat(this);
        break;
      default:
        throw unknownEntry(`a command "${(command as { type: string }).type}"`);
    }
    stream.pass(index);
  }

  #amend(id: number, change: Partial<Member>): void {
    const member = this.members.get(id);
    const known: Member | null = member ?? (membersOf(this.conf).includes(id) ? blank(id) : null);
    if (known !== null) this.members.set(id, { ...known, ...change, id });
  }

  /** u8 format · u32 length · settings and configuration as a value · the stream's state. */
  encode(): Uint8Array {
    const settings = encodePacked({
      ...this.settings,
      accounts: [...this.settings.accounts],
      conf: this.conf,
      first: this.first,
      members: [...this.members.values()],
      highestId: this.highestId,
      formatVersion: this.formatVersion,
      entryHash: this.entryHash,
      startsAt: this.startsAt,
      heartbeatMs: this.heartbeatMs,
    });
    const stream = encodeStreamState(this.stream);
    const writer = new ByteWriter(5 + settings.length + stream.length);
    return writer.u8(STATE_FORMAT).u32(settings.length).raw(settings).raw(stream).finish();
  }

  /** Throws MalformedBytes, or an Error for what another version wrote. */
  static decode(bytes: Uint8Array): NodeState {
    const reader = new ByteReader(bytes);
    const format = reader.u8("state format");
    if (format !== STATE_FORMAT) throw unknownEntry(`a state of format ${format}`);
    const value = decodePacked(reader.take(reader.u32("settings length"), "settings"));
    const saved = shaped(savedState, value, "state");
    const state = new NodeState(saved.first);
    state.conf = saved.conf;
    state.members.clear();
    for (const member of saved.members) state.members.set(member.id, member);
    state.highestId = saved.highestId;
    state.formatVersion = saved.formatVersion;
    state.entryHash = saved.entryHash;
    state.startsAt = saved.startsAt;
    state.heartbeatMs = saved.heartbeatMs;
    const { source, syncer, stoppedBecause, metClusters, retention, placement } = saved;
    const { sourceValues = {} } = saved;
    const accounts = new Map(saved.accounts);
    const stopped = { stoppedBecause, metClusters };
    state.settings = { source, syncer, ...stopped, accounts, retention, placement, sourceValues };
    state.stream = decodeStreamState(reader.rest());
    return state;
  }
}

/** One that has not announced itself. */
function blank(id: number): Member {
  const unknown = { diskUuid: "", name: `node-${id}`, region: "", peer: "", mysql: "", admin: "" };
  return { id, ...unknown, version: "", formatVersion: 1, server: "running" };
}

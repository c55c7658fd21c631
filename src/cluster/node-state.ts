/**
 * All that apply has built: the stream's fold and the replicated settings. One value goes into a
 * checkpoint and comes back at start.
 */
import { ByteReader, ByteWriter, decodeText, encodeText } from "../base/bytes.ts";
import { decodeStreamState, encodeStreamState } from "../binlog/stream-checkpoint.ts";
import { StreamState } from "../binlog/stream-state.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { ConfState } from "../raft/types.ts";
import type { AccountSettings, Command, SourceSettings } from "./command.ts";

export interface Settings {
  source: SourceSettings | null;
  syncer: "running" | "stopped";
  readonly accounts: Map<string, AccountSettings>;
}

export class NodeState {
  /** Who votes and who learns, as of what is applied. */
  conf: ConfState;
  stream: StreamState = new StreamState();
  settings: Settings = { source: null, syncer: "running", accounts: new Map() };

  constructor(conf: ConfState) {
    this.conf = conf;
  }

  applyCommand(index: number, command: Command): void {
    const { stream, settings } = this;
    switch (command.type) {
      case "start":
        stream.start(index, GtidSet.parse(command.purged));
        return;
      case "source":
        stream.attachSource(index, { uuid: command.uuid, version: command.version });
        return;
      case "accept-gap":
        stream.acceptGap(index, GtidSet.parse(command.gtids));
        return;
      case "new-timeline":
        stream.newTimeline(index);
        return;
      case "purge":
        stream.purgeBefore(index, command.firstKept);
        return;
      case "set-source":
        settings.source = command.source;
        break;
      case "set-syncer":
        settings.syncer = command.wanted;
        break;
      case "set-account":
        settings.accounts.set(command.name, command.account);
        break;
      case "remove-account":
        settings.accounts.delete(command.name);
        break;
    }
    stream.pass(index);
  }

  /** u32 length · settings and configuration as JSON · the stream's state. */
  encode(): Uint8Array {
    const settings = encodeText(
      JSON.stringify({
        ...this.settings,
        accounts: [...this.settings.accounts],
        conf: this.conf,
      }),
    );
    const stream = encodeStreamState(this.stream);
    const writer = new ByteWriter(4 + settings.length + stream.length);
    return writer.u32(settings.length).raw(settings).raw(stream).finish();
  }

  static decode(bytes: Uint8Array): NodeState {
    const reader = new ByteReader(bytes);
    const saved = JSON.parse(decodeText(reader.take(reader.u32("settings length")))) as {
      source: SourceSettings | null;
      syncer: "running" | "stopped";
      accounts: [string, AccountSettings][];
      conf: ConfState;
    };
    const state = new NodeState(saved.conf);
    const { source, syncer } = saved;
    state.settings = { source, syncer, accounts: new Map(saved.accounts) };
    state.stream = decodeStreamState(reader.rest());
    return state;
  }
}

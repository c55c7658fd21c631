/** The stream of this node as its binlog server reads it (contract: server/stream.ts). */
import type { Wakeup } from "../base/service.ts";
import type { SourceIdentity } from "../binlog/chunk.ts";
import type { BinlogFile } from "../binlog/file-view.ts";
import type { Mark } from "../binlog/marks.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import type { BinlogStream, StreamReader } from "../server/stream.ts";
import type { NodeCore } from "./node-core.ts";
import { LogStreamReader } from "./stream-reader.ts";

export class NodeStream implements BinlogStream {
  readonly #core: NodeCore;

  constructor(core: NodeCore) {
    this.#core = core;
  }

  get files(): readonly BinlogFile[] {
    return this.#core.state.stream.files;
  }
  get epoch(): number {
    return this.#core.state.stream.epoch;
  }
  get executed(): GtidSet {
    return this.#core.state.stream.executed;
  }
  get purged(): GtidSet {
    return this.#core.state.stream.purged;
  }
  get source(): SourceIdentity | null {
    return this.#core.state.stream.source;
  }
  get sourceUuids(): ReadonlySet<string> {
    return this.#core.state.stream.sourceUuids;
  }
  get marks(): readonly Mark[] {
    return this.#core.state.stream.marks;
  }
  get visibleEnd(): number {
    return this.#core.state.stream.visibleEnd;
  }
  get advanced(): Wakeup {
    return this.#core.driver.advanced;
  }
  read(entry: number): StreamReader {
    return new LogStreamReader(this.#core.log, this.#core.state.stream, entry);
  }
}

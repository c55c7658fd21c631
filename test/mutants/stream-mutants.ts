/** Planted bugs in the fold, dead ranges, attaching to a source and acknowledging to it. */
import { type Mutant, patch } from "./patch.ts";

const DEAD = "src/binlog/dead-ranges.ts";
const STATE = "src/binlog/stream-state.ts";
const ACKS = "src/syncer/ack-sender.ts";
const DUMP = "src/syncer/named-dump.ts";
const PROOF = "src/syncer/last-proof.ts";
const SETS = "src/syncer/source-sets.ts";
const READER = "src/cluster/stream-reader.ts";

const onNodes = patch("nodes", "test/unit/{binlog,syncer,cluster}/*.test.ts");
const inTests = patch("tests", "test/unit/{syncer,binlog}/*.test.ts");

export const STREAM_MUTANTS: readonly Mutant[] = [
  onNodes(
    "dead ranges: what begins inside an entry adjoins, too",
    DEAD,
    "const adjoins = start.offset === 0 && start.entry === last.toEntry + 1;",
    "const adjoins = start.entry === last.toEntry + 1;",
  ),
  onNodes(
    "dead ranges: refused chunks inside a broken tail stay beside it",
    DEAD,
    "const covered = last.from.entry > start.entry;",
    "const covered = last.from.entry < 0;",
  ),
  onNodes(
    "dead ranges: one is found by where it begins",
    DEAD,
    "if (dead[middle]!.toEntry < index) low = middle + 1;",
    "if (dead[middle]!.from.entry < index) low = middle + 1;",
  ),
  onNodes(
    "fold: a pull restarts wherever it likes",
    STATE,
    'if (chunk.streamOffset !== this.visibleEnd) return "it does not restart at the stream\'s end";',
    'if (chunk.streamOffset < 0) return "it does not restart at the stream\'s end";',
  ),
  onNodes(
    "fold: an older pull restarts, too",
    STATE,
    'if (!isNewer(chunk.pull, this.pull)) return "the pull is not newer than the last";',
    'if (chunk.pull.term < 0) return "the pull is not newer than the last";',
  ),
  onNodes(
    "fold: a chunk that is missing is not missed",
    STATE,
    'if (chunk.pullSequence !== this.nextPullSequence) return "a chunk before it is missing";',
    'if (chunk.pullSequence < 0) return "a chunk before it is missing";',
  ),
  inTests(
    "fold: a GTID counts twice",
    STATE,
    "if (this.executed.has(run.sid, run.first) || this.executed.has(run.sid, last)) {",
    "if (run.count < 0) {",
  ),
  onNodes(
    "fold: the visible end moves into an unfinished transaction",
    STATE,
    "    if (complete === 0) return false;\n",
    "",
  ),
  onNodes(
    "stream: a reader goes beyond the visible end",
    READER,
    "if (this.#entry === visible.entry && this.#offset >= visible.offset) return null;",
    "if (this.#entry === visible.entry && this.#offset > visible.offset) return null;",
  ),
  onNodes(
    "ACK: of another source's file",
    ACKS,
    "if (file.sourceUuid !== this.#sourceUuid || file.epoch !== epoch) return;",
    "if (file.epoch !== epoch) return;",
  ),
  onNodes(
    "ACK: a few bytes ahead",
    ACKS,
    "this.#dump.ack(file.sourceName, file.size);",
    "this.#dump.ack(file.sourceName, file.size + 4);",
  ),
  onNodes(
    "ACK: what nobody asked for is never acknowledged",
    ACKS,
    "if (this.#clock.mono() - this.#lastAckMs >= QUIET_ACK_MS) this.ackVisible();",
    "",
  ),
  inTests(
    "attach: the last transaction is not compared",
    DUMP,
    "const same =\n      eventLogPos(event) === end && equalBytes(event, stored.subarray(at, at + event.length));",
    "const same = eventLogPos(event) === end;",
  ),
  inTests(
    "attach: a file of another time goes on where ours ended",
    DUMP,
    "if (!sameFormatDescription(fde.event, storedFde)) throw forked(host, facts, file);",
    "if (storedFde.length < 0) throw forked(host, facts, file);",
  ),
  inTests(
    "attach: the end of a large transaction is not compared",
    PROOF,
    "      if (!equalBytes(event, stored.subarray(at, at + event.length)))\n" +
      "        throw forked(host, facts, file);\n      at += event.length;\n    }\n    const next",
    "      at += event.length;\n    }\n    const next",
  ),
  inTests(
    "attach: the beginning of a large transaction is not compared",
    PROOF,
    "if (!equalBytes(event.subarray(0, length), stored.subarray(at, at + length)))",
    "if (length < 0)",
  ),
  onNodes(
    "attach: a source that lacks what is stored is taken",
    SETS,
    "if (!extra.isEmpty) {",
    "if (!extra.isEmpty && executed.isEmpty) {",
  ),
  inTests(
    "attach: what the source has purged is not missed",
    SETS,
    "if (!missing.isEmpty) throw gap(host, facts, missing, executed);",
    "if (missing === null) throw gap(host, facts, missing, executed);",
  ),
];

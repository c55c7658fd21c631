/** Planted bugs in recovery, checkpoints, repair and full disks. */
import { type Mutant, patch } from "./patch.ts";

const INDEX = "src/storage/log-index.ts";
const SCAN = "src/storage/scan.ts";
const LOAD = "src/storage/load.ts";
const FILES = "src/storage/files.ts";
const LOG = "src/storage/log.ts";
const READER = "src/storage/log-reader.ts";
const CORE = "src/cluster/node-core.ts";
const FITNESS = "src/cluster/fitness.ts";
const CONSENSUS = "src/cluster/consensus.ts";

const onMachines = patch("machines");
const onNodes = patch("nodes");
const inLoads = patch(
  "tests",
  "test/unit/{storage/{load,open,files,log},cluster/{fitness,refound}}.test.ts",
);
const inCheckpoints = patch(
  "tests",
  "test/unit/{storage/{load,install,checkpoints,log},cluster/{fitness,raft-storage}}.test.ts",
);
const inRepairs = patch(
  "tests",
  "test/unit/{storage/{load,files,repair},cluster/{fitness,repairer}}.test.ts",
);
const inFullDisks = patch("tests", "test/unit/cluster/{full-disk,log-writer,node}.test.ts");

export const STORAGE_MUTANTS: readonly Mutant[] = [
  onMachines(
    "recovery: a cut keeps the term of the entry behind it",
    INDEX,
    "while (this.terms.length > 0 && this.terms[this.terms.length - 1]!.index > index)",
    "while (this.terms.length > 0 && this.terms[this.terms.length - 1]!.index >= index)",
  ),
  inLoads(
    "recovery: a change of the members is lost unseen",
    INDEX,
    "    if (end.lastChange > after) this.changes.push(end.lastChange);\n",
    "",
  ),
  inLoads(
    "recovery: terms of lost entries are guessed from the last one",
    INDEX,
    "if (end.lastIndex > after + 1) this.addTerm(after + 1, UNKNOWN_TERM);",
    "if (end.lastIndex > after + 1) this.addTerm(after + 1, end.lastTerm);",
  ),
  inLoads(
    "recovery: lost entries have the term of the one before them",
    INDEX,
    "    this.addTerm(end.lastIndex, end.lastTerm);\n",
    "",
  ),
  inLoads(
    "recovery: what a lost batch may have replaced is believed",
    SCAN,
    "const after = sameTerm ? lastIndex : Math.min(lastIndex, commit);",
    "const after = lastIndex;",
  ),
  inLoads(
    "recovery: a lost batch of unknown terms counts as committed",
    SCAN,
    "(sameTerm || (await isCommitted(window, later, end.lastIndex, crc32)))",
    "(sameTerm || later.at > 0)",
  ),
  inLoads(
    "recovery: of the batches behind a lost one only the first is asked what is committed",
    SCAN,
    "batch = await findLaterBatch(window, at + header.length, header.number + 1, crc32);",
    "batch = null;",
  ),
  inLoads(
    "recovery: what is lost of a sealed segment's end may be what was cut",
    LOAD,
    "if (sameTerm && known.lastIndex === end.lastIndex) return;",
    "if (known.lastIndex >= end.lastIndex) return;",
  ),
  inLoads(
    "recovery: what is left of a lost range that was cut holds no change",
    INDEX,
    "if (newest > 0 && isLost) this.changes.push(index);",
    "if (newest < 0) this.changes.push(index);",
  ),
  onMachines(
    "recovery: a torn tail is not made zero",
    LOAD,
    "      await zero(file, end, tornUntil);\n",
    "",
  ),
  inLoads(
    "recovery: a damaged end is cut without being asked to",
    LOAD,
    "if (corrupt !== null && salvage === null) {",
    "if (corrupt !== null && salvage === null && end < 0) {",
  ),
  inLoads(
    "recovery: a look at a damaged log changes it",
    LOAD,
    '    if (salvage === "look") return tail;\n',
    "",
  ),
  inRepairs(
    "EIO: what cannot be read looks as if it had never been written",
    FILES,
    "into.fill(UNREADABLE, from, to);",
    "into.fill(0, from, to);",
  ),
  inRepairs(
    "EIO: a sector that cannot be read costs all that is read with it",
    FILES,
    "if (++errors > MAX_READ_ERRORS || to - from <= SECTOR_BYTES) {",
    "if (++errors > 0) {",
  ),
  inRepairs(
    "EIO: other errors are damage, too",
    FILES,
    'if (!(error instanceof DiskError) || error.code !== "EIO") throw error;',
    "if (!(error instanceof DiskError)) throw error;",
  ),
  inLoads(
    "a read of a purged segment is an error of its own kind",
    READER,
    "if (file === undefined) throw new EntryGone(ref.firstIndex);",
    'if (file === undefined) throw new Error("the segment is closed");',
  ),
  inCheckpoints(
    "checkpoints: a log whose first one is lost begins anew",
    CORE,
    "if (log.checkpoint === null && !log.isFresh)",
    "if (log.checkpoint === null && log.lastIndex < 0)",
  ),
  inCheckpoints(
    "checkpoints: there is only one to begin with",
    CORE,
    '  if (options.salvage !== "look") await log.keepTwoCheckpoints();\n',
    "",
  ),
  inCheckpoints(
    "checkpoints: there is only one behind a snapshot",
    LOG,
    "      await this.#writeCheckpoint(checkpoint, hardState);\n      this.#headEnd = this.#at;\n" +
      "      await unlinkSegments",
    "      this.#headEnd = this.#at;\n      await unlinkSegments",
  ),
  inCheckpoints(
    "checkpoints: a purge leaves only one",
    LOG,
    ".filter((place) => place !== newest && (place.segment !== active || atHead(place)));",
    ".filter((place) => newest !== null && (place.segment !== active || atHead(place)));",
  ),
  onNodes(
    "checkpoints: a peer that lags is given the newest one",
    LOG,
    "const places = this.#checkpoints.before(index, this.firstIndex);\n      return (await",
    "const places = this.#checkpoints.newestFirst();\n      return (await",
  ),
  inRepairs(
    "repair: what was written is not read back",
    "src/storage/repair-plan.ts",
    "isWritten &&= read === bytes.length && equalBytes(now, bytes);",
    "isWritten &&= read >= 0;",
  ),
  inRepairs(
    "repair: entries of which the terms stay unknown are passed over",
    INDEX,
    "const next = last < this.lastIndex ? (this.term(last + 1) ?? UNKNOWN_TERM) : undefined;",
    "const next = this.term(last + 1);",
  ),
  inRepairs(
    "damage: a node votes though it does not know who votes",
    CONSENSUS,
    '    if (this.fitness.membershipIsLost && (type === "MsgVote" || type === "MsgPreVote")) return;\n',
    "",
  ),
  inRepairs(
    "damage: a node leads though it does not know the terms in its log",
    FITNESS,
    "if (stuck || cannotApply || this.#log.lacksTerms) return false;",
    "if (stuck || cannotApply) return false;",
  ),
  inRepairs(
    "damage: a repair does not feed who waited for it",
    CONSENSUS,
    "    this.cannotApply = false;\n    this.#do(() => this.node.entriesArrived());\n    this.committed.wake();\n",
    "",
  ),
  inFullDisks(
    "full disks: noticed when a batch has no room, and not before",
    LOG,
    "return this.#refused || this.#next.full !== null;",
    "return this.#refused;",
  ),
  inFullDisks(
    "full disks: a leader stays",
    CONSENSUS,
    "(!may || (becameFull && !node.isOnlyVoter))",
    "(!may || (becameFull && node.isOnlyVoter))",
  ),
  inFullDisks(
    "full disks: nobody leads while all are full",
    FITNESS,
    "return (this.#log.damage.length === 0 && !this.#log.full) || !isFirst;",
    "return !this.#log.full && (this.#log.damage.length === 0 || !isFirst);",
  ),
  inFullDisks(
    "full disks: a node does not drop what the others have purged",
    "src/cluster/full-disk.ts",
    "if (keptFrom <= firstIndex) return;",
    "if (keptFrom >= 0) return;",
  ),
  inFullDisks(
    "full disks: more is pulled than there is room for",
    "src/cluster/syncer-host.ts",
    "const room = hasSpace ? this.#log.roomBytes * ROOM_SHARE : 0;",
    "const room = Number.MAX_SAFE_INTEGER;",
  ),
  inFullDisks(
    "full disks: a segment that cannot be made ends the process",
    "src/storage/segment-file.ts",
    "this.full = error;",
    "throw error;",
  ),
];

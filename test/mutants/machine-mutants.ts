/** Planted bugs in what drives the core: the ready loop, apply and the log on the disk. */
import { type Mutant, patch } from "./patch.ts";

const CONSENSUS = "src/cluster/consensus.ts";
const DRIVER = "src/cluster/driver.ts";
const WRITER = "src/cluster/log-writer.ts";
const STORED = "src/storage/log.ts";
const LOAD = "src/storage/load.ts";

const onMachines = patch("machines");

export const MACHINE_MUTANTS: readonly Mutant[] = [
  onMachines(
    "a message of a new term leaves before its hard state is durable",
    CONSENSUS,
    "return asks || term <= this.#log.hardState.term;",
    "return asks || term >= 0;",
  ),
  onMachines(
    "8: an acknowledgement leaves before the write that it speaks of",
    WRITER,
    "    if (entries.length > 0 || this.#mustSync) {",
    "    this.#events.onDurable(responses);\n    if (entries.length > 0 || this.#mustSync) {",
  ),
  onMachines(
    "16: a vote alone is not worth a sync",
    WRITER,
    "if (this.#hardState.term !== term || this.#hardState.vote !== vote) return true;",
    "if (this.#hardState.term !== term && vote >= 0) return true;",
  ),
  onMachines(
    "what a new leader replaces is not cut off on the disk",
    WRITER,
    "before < this.#log.lastIndex ? { truncateAfter: before } : {};",
    "before < 0 ? { truncateAfter: before } : {};",
  ),
  onMachines(
    "apply goes beyond what is here as it was committed",
    DRIVER,
    "const last = node.appliable;",
    "const last = node.commit;",
  ),
  onMachines(
    "what is committed is applied from the disk before it is there",
    "src/raft/raft-log.ts",
    "return Math.min(this.committed, this.unstable.offset - 1);",
    "return Math.min(this.committed, this.#storage.lastIndex());",
  ),
  onMachines(
    "the core is not told what was applied",
    DRIVER,
    "this.consensus.applied(this.applied, payloadBytes);",
    "this.consensus.applied(0, payloadBytes);",
  ),
  onMachines(
    "10: a leader whose disk hangs goes on leading",
    CONSENSUS,
    "return this.#writer.full || this.#writer.writingMs > this.#timing.electionMs;",
    "return this.#writer.full;",
  ),
  onMachines(
    "messages that waited for their term are forgotten",
    CONSENSUS,
    "for (const message of held) this.#send(message);",
    "for (const message of held) this.#mayLeave(message);",
  ),
  onMachines(
    "a peer is not fed what was read for it",
    CONSENSUS,
    "onRead: () => this.#do(() => this.node.entriesArrived()),",
    "onRead: () => {},",
  ),
  onMachines(
    "18: what was read after a failed sync is believed to be durable",
    LOAD,
    "if (tail.lastBatchAt > 0) {",
    "if (tail.lastBatchAt < 0) {",
  ),
  onMachines(
    "18: the log goes on after a failed write",
    STORED,
    "    } catch (error) {\n      this.#fail(error as Error);\n      throw error;\n    }\n    this.syncs++;",
    "    } catch {\n      // Tried again by nobody.\n    }\n    this.syncs++;",
  ),
  onMachines(
    "18: a new segment's name is not made durable",
    "src/storage/segment-file.ts",
    "await patiently(this.#clock, () => this.#disk.syncDir(LOG_DIR));",
    "",
  ),
  onMachines(
    "a block that was read before a cut is served as it was",
    "src/storage/log-reader.ts",
    "entries[to]!.index <= ref.lastIndex",
    "entries[to]!.index > 0",
  ),
  onMachines(
    "19: a node whose disk was lost goes on under its id",
    "test/sim/machines/node.ts",
    "    this.isRetired = true;\n    this.machine.wipe(DATA_DIR);",
    "    this.machine.wipe(DATA_DIR);\n    this.start();",
  ),
];

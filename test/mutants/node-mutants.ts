/** Planted bugs in what makes a node of it all: pulling, serving, membership, snapshots. */
import { type Mutant, patch } from "./patch.ts";

const ACKS = "src/syncer/ack-sender.ts";
const EXCLUSION = "src/server/exclusion.ts";
const BODY = "src/syncer/chunk-body.ts";
const HOST = "src/cluster/syncer-host.ts";
const READER = "src/cluster/stream-reader.ts";
const STATE = "src/binlog/stream-state.ts";
const DRIVER = "src/cluster/driver.ts";
const SERVER = "src/cluster/node-server.ts";
const CONSENSUS = "src/cluster/consensus.ts";
const MEMBERSHIP = "src/cluster/membership.ts";

const onNodes = patch("nodes");

export const NODE_MUTANTS: readonly Mutant[] = [
  onNodes(
    "B1: an ACK says more than what is applied",
    ACKS,
    "    this.#dump.ack(file.sourceName, file.size);",
    "    this.#dump.ack(file.sourceName, file.size + 200);",
  ),
  onNodes(
    "B1: an ACK as soon as a chunk is proposed",
    ACKS,
    "  proposed({ ackWanted, pullSequence }: BuiltChunk): void {\n",
    "  proposed({ ackWanted, pullSequence, payload }: BuiltChunk): void {\n" +
      "    const { file } = this.#host.stream;\n" +
      '    this.#dump.ack(file?.sourceName ?? "", (file?.size ?? 0) + payload.length);\n',
  ),
  onNodes(
    "B2: a node leads before what it holds of earlier terms is applied",
    DRIVER,
    'return node.role === "leader" && termStart > 0 && this.applied >= termStart;',
    'return node.role === "leader" && termStart > 0;',
  ),
  onNodes(
    "B3: an event stays where it was received, while its frame moves",
    BODY,
    "if (w + FRAME_BYTES !== event) buffer.copyWithin(w + FRAME_BYTES, event, event + size);",
    "if (w > event) buffer.copyWithin(w + FRAME_BYTES, event, event + size);",
  ),
  onNodes(
    "B4: a replica that comes back gets its last transaction again",
    EXCLUSION,
    'if (at >= 0 && lasts[at]! >= last) return "all";',
    'if (at >= 0 && lasts[at]! > last) return "all";',
  ),
  onNodes(
    "B4, B6: a broken tail is not dead",
    READER,
    "if (range === null) return end;",
    "if (range === null || index > 0) return end;",
  ),
  onNodes(
    "B5: apply goes on to the end of the log",
    DRIVER,
    "      const last = node.appliable;",
    "      const last = this.#log.lastIndex;",
  ),
  onNodes(
    "B7: a node that lags says that nobody has it",
    SERVER,
    "confirmMissing: (what) => confirmMissing(core, what),",
    "confirmMissing: async () => confirmMissing !== null,",
  ),
  onNodes(
    "B7: a node that joined from now refuses for good what others have",
    SERVER,
    'if (what === "older" && joinedFromNow) return false;',
    "if (joinedFromNow && state.startsAt < 0) return false;",
  ),
  onNodes(
    "B7: a purge from before its first file is of what a node that joined from now never had",
    "src/cluster/node-state.ts",
    "if (index > this.startsAt && stream",
    "if (index >= 0 && stream",
  ),
  onNodes(
    "B4: what is left of a purged file is passed over",
    READER,
    "if (file === null) throw new StreamPurged(entry.index);",
    "if (file === null) {\n            this.#entry = entry.index + 1;\n            continue;\n          }",
  ),
  onNodes(
    "B9: a chunk of another pull continues the stream",
    STATE,
    'if (term !== this.pull.term || id !== this.pull.id) return "its pull is not the current one";',
    'if (term < 0) return "its pull is not the current one";',
  ),
  onNodes(
    "a change of the members is taken for a chunk",
    READER,
    "entry.type === EntryType.NORMAL && isChunk",
    "isChunk",
  ),
  onNodes(
    "a snapshot does not take the place of what was applied",
    DRIVER,
    "    this.#state.replace(NodeState.decode(data));\n",
    "    NodeState.decode(data);\n",
  ),
  onNodes(
    "a peer that is not in the state that it gets is left alone with it",
    CONSENSUS,
    "this.#links.send(forReceiver(message))",
    "this.#links.send(message)",
  ),
  onNodes(
    "S9: a removed node goes on as if nothing had been",
    CONSENSUS,
    "    this.fenced = reason;\n",
    "    if (reason.length < 0) this.fenced = reason;\n",
  ),
  onNodes(
    "ids are used again",
    MEMBERSHIP,
    "id: state.highestId + 1",
    "id: Math.max(...state.members.keys()) + 1",
  ),
  onNodes(
    "a dump is asked for what a deposed leader holds",
    HOST,
    "    await this.#driver.barrier(SETTLE_MS);\n",
    "",
  ),
];

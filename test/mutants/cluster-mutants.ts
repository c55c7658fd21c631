/** Planted bugs in admission, what peers remember, formation, votes, and buffers that are used again. */
import { type Mutant, patch } from "./patch.ts";

const JUDGE = "src/cluster/judge.ts";
const MEMORY = "src/cluster/peer-memory.ts";
const OTHERS = "src/cluster/other-clusters.ts";

const onCores = patch("cores");
const atTheEdge = patch("tests", "test/{unit/cluster/{peer-host,senders},fuzz/peers/core}.test.ts");
const onNodes = patch("nodes");
const inJudge = patch("tests", "test/unit/cluster/{judge,peer-memory}.test.ts");
const inFormation = patch("tests", "test/unit/{geo/fly-discovery,cluster/formation}.test.ts");

const inChanges = patch("tests", "test/unit/cluster/driver.test.ts");
const inSnapshots = patch("tests", "test/unit/cluster/consensus.test.ts");

export const CLUSTER_MUTANTS: readonly Mutant[] = [
  inChanges(
    "members: a change is applied before it is durable that it is committed",
    "src/cluster/driver.ts",
    "return index <= this.#log.hardState.commit;",
    "return index >= 0;",
  ),
  inSnapshots(
    "snapshots: nobody tells the core that one arrived which the log no longer reaches",
    "src/cluster/consensus.ts",
    "if (hasSnapshot(this.node, from))",
    "if (from < 0)",
  ),
  onCores(
    "a stale append is acknowledged up to the end of the log",
    "src/raft/follower.ts",
    'raft.send("MsgAppResp", m.from, { index: log.committed });\n    return;',
    'raft.send("MsgAppResp", m.from, { index: log.lastIndex() });\n    return;',
  ),
  onCores(
    "a vote for a log that ends before what is committed",
    "src/raft/election.ts",
    "const isWhole = m.index >= raft.toldCommitted;",
    "const isWhole = m.index >= 0;",
  ),
  onCores(
    "a campaign with a log that ends before what is committed",
    "src/raft/election.ts",
    "  return log.lastIndex() < toldCommitted;",
    "  return log.lastIndex() < 0 && toldCommitted > 0;",
  ),
  onNodes(
    "buffers: memory is used again while a socket sends it",
    "src/storage/block-cache.ts",
    "hold: () => buffer.pin(),",
    "hold: () => () => {},",
  ),
  onNodes(
    "buffers: a frame is used again while it is being sent",
    "src/peers/link.ts",
    "this.#conn.write([frame], () => this.#buffers.give(frame));",
    "this.#conn.write([frame]);\n    this.#buffers.give(frame);",
  ),
  onNodes(
    "buffers: what was cut off is served from memory",
    "src/storage/log.ts",
    "        this.#hot.truncateAfter(batch.truncateAfter);\n",
    "",
  ),
  inJudge(
    "admission: a tail that a snapshot took away is missed",
    MEMORY,
    "  if (a.installs !== b.installs) return a.installs < b.installs;\n",
    "",
  ),
  inJudge(
    "admission: a copy that was started as often is let in",
    JUDGE,
    "(hello.boots === known.boots && hello.nonce !== known.nonce)",
    "(hello.boots === known.boots && hello.nonce === known.nonce)",
  ),
  inJudge(
    "admission: what was acknowledged may be missing",
    JUDGE,
    "hello.lastIndex < had.index",
    "hello.lastIndex < had.index - 1000",
  ),
  inJudge(
    "admission: a vote may be forgotten",
    JUDGE,
    "if (hello.term < known.term || forgotVote(hello, known)) {",
    "if (hello.term < known.term) {",
  ),
  inJudge(
    "admission: a log may be shorter than it was",
    JUDGE,
    "if (isBefore(hello, known)) {",
    "if (isBefore(hello, hello)) {",
  ),
  inJudge(
    "admission: another disk speaks for a member",
    JUDGE,
    "if (member.diskUuid !== hello.diskUuid) {",
    'if (member.diskUuid === "") {',
  ),
  inJudge(
    "peer memory: starts are not counted",
    MEMORY,
    "boots: (known?.boots ?? 0) + 1,",
    "boots: known?.boots ?? 1,",
  ),
  inJudge(
    "peer memory: a vote without an entry is not remembered",
    MEMORY,
    "if (!voted && !isBefore(known, shown)) return;",
    "if (!isBefore(known, shown)) return;",
  ),
  inJudge(
    "peer memory: what could not be written is not written again",
    MEMORY,
    "      this.#isDirty = true;\n      throw error;",
    "      throw error;",
  ),
  inFormation(
    "formation: fewer begin than exist",
    "src/cluster/formation.ts",
    "if (fresh.length !== expected || this.#mayBeMore(expected)) return null;",
    "if (fresh.length !== expected) return null;",
  ),
  inFormation(
    "formation: those that others see are not asked for",
    "src/cluster/formation.ts",
    "if (view.expect !== expected || view.sees.join() !== uuids.join()) return null;",
    "if (view.expect !== expected) return null;",
  ),
  inFormation(
    "two clusters: the elder one stops",
    OTHERS,
    "own.foundedMs > met.foundedMs ||",
    "own.foundedMs < met.foundedMs ||",
  ),
  inFormation(
    "two clusters: nobody looks any more",
    OTHERS,
    "if (!signal.aborted) await this.#look(signal);",
    "",
  ),
  atTheEdge(
    "edge: a heartbeat commits what this node does not have",
    "src/cluster/message-edge.ts",
    "m.term >= own.term && m.commit > own.lastIndex",
    "m.term < 0 && m.commit > own.lastIndex",
  ),
  atTheEdge(
    "edge: a stranger's Raft messages count",
    "src/cluster/senders.ts",
    "if (leaderSilentMs() <= PATIENCE_ELECTIONS * electionMs()) return false;",
    "if (leaderSilentMs() < 0) return false;",
  ),
  atTheEdge(
    "edge: who is behind follows an unknown leader for one message",
    "src/cluster/senders.ts",
    "    this.#admit(raftId, diskUuid);\n    return true;",
    "    return true;",
  ),
  atTheEdge(
    "edge: whoever calls us can take this node out",
    "src/peers/peers.ts",
    "if (isDialled) this.#host.onRefused",
    "if (peer !== null) this.#host.onRefused",
  ),
  atTheEdge(
    "edge: a join is replicated as it comes",
    "src/cluster/cluster-part.ts",
    'shaped(joinArgs, args, "join")',
    "args as ReturnType<typeof joinArgs.parse>",
  ),
];

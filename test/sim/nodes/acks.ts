/**
 * B1, to the byte: each ACK names the end of what apply has made visible, which is applied at the node that
 * sent it and durable on a quorum of who votes there. Durable is what the disk would keep if the power
 * failed now, not what a node believes.
 */
import type { FileImage } from "../../../runtime/memory/disk-image.ts";
import type { SemiSyncAck } from "../../../src/mysql/semi-sync.ts";
import type { ConfState } from "../../../src/raft/types.ts";
import { judgeBatch } from "../../../src/storage/batch.ts";
import { RecordType } from "../../../src/storage/format.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import type { WorldSource } from "../../unit/cluster/world-source.ts";
import { Violation } from "../ghost.ts";
import type { NodeCluster } from "./cluster.ts";
import { DATA_DIR, type SimNode } from "./node.ts";

export class AckJudge {
  readonly #cluster: NodeCluster;
  /** The newest entry that each machine has ever applied: its process may be gone when its ACK arrives. */
  readonly #applied = new Map<string, number>();
  /** What each configuration followed. */
  readonly #confBefore = new Map<string, ConfState>();
  /** What lost disks had held: it counted when it was asked for. */
  readonly lostLogs: Map<number, DurableLog> = new Map();

  constructor(cluster: NodeCluster) {
    this.#cluster = cluster;
  }

  applied(node: SimNode, entry: number): void {
    const { address } = node.machine;
    this.#applied.set(address, Math.max(entry, this.#applied.get(address) ?? 0));
  }

  configured(conf: ConfState, before: ConfState): void {
    this.#confBefore.set(JSON.stringify(conf), before);
  }

  watch(source: WorldSource): void {
    source.onAck = (ack, from) => {
      try {
        this.#judge(source, ack, from);
      } catch (error) {
        this.#cluster.broken(error as Error);
      }
    };
    source.onBrokenAck = ({ message }) => this.#cluster.broken(new Violation("B1", message));
  }

  #judge(source: WorldSource, { file, position }: SemiSyncAck, from: string): void {
    const { line, sources, counters, nodes } = this.#cluster;
    const what = `${from} acknowledged ${file}:${position} to ${source.uuid}`;
    const place = line.placeOf(source.uuid, file, position);
    if (place === null)
      throw new Violation("B1", `${what}, where nothing that was applied has ended`);
    // What the source takes for acknowledged is all of its own before that place.
    const last = sources.ledger.lastUpTo(source.uuid, file, position);
    if (last !== null && !line.has(last.transaction) && !isGivenUp(this.#cluster, last.transaction))
      throw new Violation(
        "B1",
        `${what}; ${last.transaction.sid}:${last.transaction.gno} of it is not in the stream`,
      );
    if ((this.#applied.get(from) ?? 0) < place.entry)
      throw new Violation("B1", `${what}, which it has not applied (entry ${place.entry})`);
    const node = nodes.find(({ machine }) => machine.address === from);
    counters.add("judgedAcks");
    const core = node?.node?.core;
    if (core !== undefined) this.#mustBeDurable(what, place.entry, core.state.conf);
    line.acked = Math.max(line.acked, place.length);
  }

  #mustBeDurable(what: string, entry: number, conf: ConfState): void {
    const term = this.#termOf(entry);
    const has = (id: number): boolean => this.#has(id, entry, term);
    const hasQuorum = (voters: readonly number[]): boolean =>
      voters.length === 0 || 2 * voters.filter(has).length > voters.length;
    const counted = (one: ConfState): boolean =>
      hasQuorum(one.voters) && hasQuorum(one.votersOutgoing);
    // What was committed just before a change was counted by the configuration before it.
    if (counted(conf) || counted(this.#confBefore.get(JSON.stringify(conf)) ?? conf)) return;
    throw new Violation(
      "B1",
      `${what}, entry ${entry}, without a quorum: ${this.#cluster.describe()}`,
    );
  }

  /** By whoever applied it. */
  #termOf(entry: number): number | null {
    for (const { node } of this.#cluster.nodes) {
      if (node === null || node.core.state.stream.applied < entry) continue;
      const term = node.core.log.term(entry);
      if (term !== null && term !== undefined) return term;
    }
    return null;
  }

  #has(id: number, entry: number, term: number | null): boolean {
    const node = this.#cluster.nodes.find((one) => one.log?.identity.raftId === id);
    const log = node?.log ?? this.lostLogs.get(id);
    if (log === undefined || log === null || log.lastIndex < entry) return false;
    const own = log.term(entry);
    // Behind a snapshot its entries count as a whole.
    if (entry >= log.firstIndex && term !== null && own !== term) return false;
    return node?.log !== log || isDurable(node, entry);
  }
}

function isGivenUp(
  { line }: NodeCluster,
  { sid, gno }: { readonly sid: string; readonly gno: number },
): boolean {
  return line.gap.has(sid, BigInt(gno));
}

/** No write that its disk still owes holds this entry or one before it. */
function isDurable({ machine }: SimNode, entry: number): boolean {
  const { image } = machine.disk(DATA_DIR);
  for (const [path, file] of image.files()) {
    if (!path.endsWith(".seg")) continue;
    const isOwed = owes(file, entry);
    if (isOwed) return false;
  }
  return true;
}

function owes({ pending }: FileImage, entry: number): boolean {
  return pending.some((operation) => {
    if (operation.kind !== "write") return false;
    const verdict = judgeBatch(operation.data, 0, nodeCrc32);
    if (verdict.kind !== "whole") return false;
    return verdict.records.some(({ type, index }) => type === RecordType.ENTRY && index <= entry);
  });
}

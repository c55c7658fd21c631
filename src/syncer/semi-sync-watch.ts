/**
 * Whether the source still waits for us. After its time-out a source goes on without an ACK and
 * says so only in its own log (manual, "Semisynchronous Replication Monitoring"); binraft cannot
 * stop that, but shows it: `Rpl_semi_sync_source_status` is OFF, `…_no_tx` grows.
 *
 * One SHOW STATUS, which waits for nothing that a commit in want of its ACK holds: the plugin
 * counts under a mutex that a waiting session has given back.
 */
import type { Logger } from "../base/logger.ts";
import type { MysqlClient } from "../mysql/client.ts";
import type { SemiSyncSource } from "./host.ts";

export interface SemiSyncCounters {
  /** As the plugin calls itself: "master" before 8.0.26. */
  readonly side: "source" | "master";
  readonly active: boolean;
  /** Commits that got no ACK since the source started. */
  readonly noTx: number;
  /** Semi-sync replicas that it counts, binraft among them. */
  readonly clients: number;
}

/** Good looks in a row before the next bad one is worth a new line in the log. */
const CALM_LOOKS = 30;

export async function semiSyncCounters(client: MysqlClient): Promise<SemiSyncCounters> {
  const { rows } = await client.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'");
  const values = new Map(rows.map(([name, value]) => [name?.toLowerCase() ?? "", value ?? ""]));
  const side = values.has("rpl_semi_sync_master_status") ? "master" : "source";
  return {
    side,
    // Missing altogether when somebody removed the plugin: then nothing waits either.
    active: values.get(`rpl_semi_sync_${side}_status`) === "ON",
    noTx: Number(values.get(`rpl_semi_sync_${side}_no_tx`) ?? 0),
    clients: Number(values.get(`rpl_semi_sync_${side}_clients`) ?? 0),
  };
}

/** Outlives a connection: what was committed while we were away went without our ACK too. */
export class SemiSyncWatch {
  #source = "";
  #noTx = 0;
  #clients = 0;
  #state: SemiSyncSource | null = null;
  #warned = false;
  #calm = 0;

  /** Null until a first look. */
  get state(): SemiSyncSource | null {
    return this.#state;
  }

  look(source: string, counters: SemiSyncCounters, logger: Logger): void {
    const { side, active, noTx, clients } = counters;
    const first = this.#source !== source || this.#state === null;
    if (first) {
      this.#source = source;
      this.#warned = false;
    }
    // A smaller number: the source was started anew and counts from 0.
    const grown = first ? 0 : noTx < this.#noTx ? noTx : noTx - this.#noTx;
    this.#noTx = noTx;
    const before = first ? 0 : this.#state!.commitsWithoutAck;
    // At one look the source may still count the dump of a leader that is gone.
    const lasting = first ? 0 : Math.min(clients, this.#clients);
    this.#clients = clients;
    const otherReplicas = Math.max(0, lasting - 1);
    this.#state = { active, commitsWithoutAck: before + grown, otherReplicas };
    if (active && grown === 0) this.#good(logger);
    else this.#bad(side, active, grown, logger);
  }

  #good(logger: Logger): void {
    if (!this.#warned || ++this.#calm < CALM_LOOKS) return;
    this.#warned = false;
    logger.info("The source waits for an ACK of every commit again");
  }

  #bad(side: SemiSyncCounters["side"], active: boolean, grown: number, logger: Logger): void {
    this.#calm = 0;
    if (this.#warned) return;
    this.#warned = true;
    logger.warn(
      "The source does not wait for binraft: commits go on without an ACK, and could be lost with it. " +
        `Set rpl_semi_sync_${side}_timeout to an hour or more, and see that rpl_semi_sync_${side}_enabled is ON`,
      { [`rpl_semi_sync_${side}_status`]: active ? "ON" : "OFF", commitsWithoutAck: grown },
    );
  }
}

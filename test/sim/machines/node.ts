/**
 * One node on a simulated machine: the product's own log, ready loop and apply over the in-memory
 * platform. Its process can be killed, lose power, be stopped and go on; what its disk has after
 * that is compared with what it had promised.
 */
import type { Life } from "../../../runtime/memory/life.ts";
import type { Machine } from "../../../runtime/memory/world.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { PeerLinks } from "../../../src/cluster/links.ts";
import { type NodeCore, openCore } from "../../../src/cluster/node-core.ts";
import { RaftBroken } from "../../../src/raft/errors.ts";
import type { RawNode } from "../../../src/raft/raw-node.ts";
import { COMPACTED, UNAVAILABLE } from "../../../src/raft/storage.ts";
import {
  type ConfState,
  EMPTY_CONF_STATE,
  EMPTY_HARD_STATE,
  type Entry,
  type Message,
} from "../../../src/raft/types.ts";
import type { DurableLog } from "../../../src/storage/log.ts";
import { LogCorrupt } from "../../../src/storage/storage.ts";
import { type DurableImage, Violation } from "../ghost.ts";
import { ELECTION_MS, HEARTBEAT_MS } from "./plan.ts";

const DATA_DIR = "data";

/** What a node does is told to who watches it. */
export interface Watcher {
  applied(node: MachineNode, entry: Entry): void;
  configured(node: MachineNode, index: number, conf: ConfState): void;
  broken(error: Error): void;
  /** Its process ended by itself, for what its disk did. */
  ended(node: MachineNode): void;
}

export interface MachineSetup {
  /** What a fresh disk begins with. */
  readonly conf: ConfState;
  readonly links: PeerLinks;
  readonly watcher: Watcher;
  readonly segmentBytes: number;
}

export class MachineNode {
  readonly id: number;
  readonly machine: Machine;
  readonly #setup: MachineSetup;
  #parts: NodeCore | null = null;
  /** The log of the last process, as it was when that ended: what it had promised. */
  #log: DurableLog | null = null;
  #life: Life | null = null;
  /** Its disk was lost: it never acts again under this id. */
  isRetired = false;
  /** Sectors of its disk were lost. */
  isDamaged = false;
  /** Its log knows with whom it began; from then on nobody tells it. */
  #isBegun = false;

  constructor(id: number, machine: Machine, setup: MachineSetup) {
    this.id = id;
    this.machine = machine;
    this.#setup = setup;
  }

  get up(): boolean {
    return this.#life?.alive === true;
  }
  /** Its process is there and does something. */
  get isAwake(): boolean {
    return this.up && this.#life?.isPaused === false;
  }
  get core(): RawNode | null {
    return this.up ? (this.#parts?.driver.consensus.node ?? null) : null;
  }
  get parts(): NodeCore | null {
    return this.up ? this.#parts : null;
  }
  get appliedIndex(): number {
    return this.#parts?.driver.applied ?? 0;
  }
  get disk(): ReturnType<Machine["disk"]> {
    return this.machine.disk(DATA_DIR);
  }

  readonly storage: DurableImage = durableImage(() => this.#log);

  start(): void {
    if (this.up || this.isRetired) return;
    const platform = this.machine.start();
    const life = this.machine.life!;
    this.#life = life;
    this.#parts = null;
    const ended = (error: Error): void => {
      if (!life.alive) return;
      const isRefusal = this.isDamaged && error instanceof LogCorrupt;
      if (error instanceof RaftBroken || (error instanceof LogCorrupt && !isRefusal))
        this.#setup.watcher.broken(error);
      if (error instanceof Violation) this.#setup.watcher.broken(error);
      this.machine.kill();
      this.#setup.watcher.ended(this);
    };
    const opening = openCore(platform, silentLogger, {
      dataDir: DATA_DIR,
      segmentBytes: this.#setup.segmentBytes,
      onFatal: ended,
      cluster: {
        links: this.#setup.links,
        timing: { heartbeatMs: HEARTBEAT_MS, electionMs: ELECTION_MS },
        identity: { raftId: this.id },
        head: null,
        // As the product does (start-node.ts): what is in the log is not told again.
        first: { conf: this.#isBegun ? EMPTY_CONF_STATE : this.#setup.conf, members: [] },
      },
    });
    opening.then((parts) => this.#run(parts)).catch(ended);
  }

  async #run(parts: NodeCore): Promise<void> {
    this.#opened(parts);
    const { driver } = parts;
    driver.observe({
      entryApplied: (entry) => this.#setup.watcher.applied(this, entry),
      confApplied: (index, conf) => this.#setup.watcher.configured(this, index, conf),
    });
    await driver.recover();
    await driver.run(new AbortController().signal);
  }

  /** What was promised before must be there, whatever the disk did meanwhile. */
  #opened(parts: NodeCore): void {
    const before = this.#log;
    this.#parts = parts;
    this.#log = parts.log;
    this.#isBegun = true;
    if (before === null || before === parts.log) return;
    // What it promised it may have forgotten; it must know that, and is judged by what it does.
    if (this.isDamaged) return;
    const { lastIndex, hardState } = parts.log;
    const had = before.hardState;
    const forgot =
      hardState.term < had.term ||
      (hardState.term === had.term && had.vote !== 0 && hardState.vote !== had.vote);
    if (forgot) {
      throw new Violation(
        "S7",
        `${this.id} was at term ${had.term}, vote ${had.vote}; its disk has ${hardState.term}, ${hardState.vote}`,
      );
    }
    const lastTerm = parts.log.term(lastIndex) ?? 0;
    const hadTerm = before.term(before.lastIndex) ?? 0;
    if (lastTerm < hadTerm || (lastTerm === hadTerm && lastIndex < before.lastIndex)) {
      throw new Violation(
        "S5",
        `${this.id} had entries up to ${hadTerm}/${before.lastIndex}; its disk has ${lastTerm}/${lastIndex}`,
      );
    }
    if (parts.log.damage.length > 0 && this.disk.faults.bitFlips.length === 0) {
      throw new Violation("D2", `${this.id}: ${JSON.stringify(parts.log.damage)} after a crash`);
    }
  }

  receive(message: Message): void {
    const life = this.#life;
    life?.after(0, message.type, () => {
      if (this.#life === life) this.#parts?.driver.consensus.step(message);
    });
  }

  pause(): void {
    this.#life?.pause();
  }
  resume(): void {
    this.#life?.resume();
  }

  kill(): void {
    this.machine.kill();
  }
  powerLoss(): string {
    return this.machine.powerLoss();
  }

  /** The disk is gone for good, and with it this id. */
  retire(): void {
    this.powerLoss();
    this.isRetired = true;
    this.machine.wipe(DATA_DIR);
  }
}

/** What the newest log said of its disk, also when its process is gone. */
function durableImage(log: () => DurableLog | null): DurableImage {
  const last = (): number => log()?.lastIndex ?? 0;
  return {
    get hardState() {
      return log()?.hardState ?? EMPTY_HARD_STATE;
    },
    firstIndex: () => log()?.firstIndex ?? 1,
    lastIndex: last,
    term: (index) => {
      if (index === 0) return 0;
      if (index > last()) return UNAVAILABLE;
      return log()?.term(index) ?? COMPACTED;
    },
  };
}

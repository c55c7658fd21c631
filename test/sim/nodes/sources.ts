/**
 * The source of a cluster and a second one beside it: a replica that has all of it, in files of its own,
 * and that can be promoted. Whoever is active gives new transactions its own numbers; the other writes them, too.
 */
import type { SeededRandom } from "../../../runtime/memory/random.ts";
import type { World } from "../../../runtime/memory/world.ts";
import { type SourceCopy, WorldSource } from "../../unit/cluster/world-source.ts";
import { Ledger, type Transaction } from "./ledger.ts";
import type { Plan } from "./plan.ts";

export const SOURCE_NAMES = ["source", "standby"] as const;
const UUIDS = ["aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"];
/** Of large transactions in one run. */
const MOST_LARGE = 6;
const MIB = 1024 * 1024;
/** Marks for a source that is put back. */
const MARK_EVERY = 5;

interface Mark {
  readonly copy: SourceCopy;
  readonly count: number;
  readonly gnos: ReadonlyMap<string, number>;
}

export class Sources {
  readonly ledger: Ledger = new Ledger();
  readonly #plan: Plan;
  readonly #random: SeededRandom;
  readonly all: readonly WorldSource[];
  active: WorldSource;
  /** Null once it is no copy of the active one any more. */
  standby: WorldSource | null;
  readonly #gnos = new Map<string, number>();
  #salt = 0;
  #large = 0;
  #marks: Mark[] = [];
  /** All files that servers ever had, also those that an older copy took the place of. */
  readonly #lostFiles = new Map<string, Uint8Array[]>();
  /** It runs, as far as faults go. */
  readonly #down = new Set<WorldSource>();

  private constructor(plan: Plan, random: SeededRandom, all: readonly WorldSource[]) {
    this.#plan = plan;
    this.#random = random;
    this.all = all;
    this.active = all[0]!;
    this.standby = all[1]!;
  }

  static async start(world: World, plan: Plan, random: SeededRandom): Promise<Sources> {
    const all: WorldSource[] = [];
    for (const [at, name] of SOURCE_NAMES.entries()) {
      const source = await WorldSource.start(world, name, UUIDS[at]!, "");
      source.offerSemiSync("source");
      const { eventDelayMs } = plan;
      // Of transactions of many chunks each is on its way for a while.
      const share = plan.chunkMib > 0 ? 2 : 6;
      if (eventDelayMs > 0)
        source.eventDelayMs = () => (random.below(share) === 0 ? eventDelayMs * random.float() : 0);
      all.push(source);
    }
    return new Sources(plan, random, all);
  }

  isDown(source: WorldSource): boolean {
    return this.#down.has(source);
  }

  commit(): void {
    const { largeBytes, chunkMib } = this.#plan;
    let bytes = this.#random.below(8) === 0 ? largeBytes : 40 + this.#random.below(200);
    let parts = 1;
    if (chunkMib > 0 && this.#large < MOST_LARGE && this.#random.below(4) === 0) {
      this.#large++;
      bytes = Math.round(MIB * (0.6 + this.#random.float() * chunkMib));
      parts = [1, 4, 16, 16][this.#random.below(4)]!;
    }
    this.#commit(bytes, parts);
  }

  commitMany(count: number, bytes: number): void {
    for (let i = 0; i < count; i++) this.#commit(bytes, 1);
  }

  #commit(bytes: number, parts: number): void {
    // A source that is down takes no commits.
    if (this.isDown(this.active)) return;
    const sid = this.active.uuid;
    const gno = (this.#gnos.get(sid) ?? 0) + 1;
    this.#gnos.set(sid, gno);
    if (this.ledger.count(sid) % MARK_EVERY === 0) this.#mark();
    const transaction = { sid, gno };
    this.#write(this.active, transaction, bytes, parts);
    if (this.standby !== null) this.#write(this.standby, transaction, bytes, parts);
  }

  #write(source: WorldSource, transaction: Transaction, bytes: number, parts: number): void {
    const before = source.end;
    const { sid, gno } = transaction;
    source.commit(sid, gno, Math.ceil(bytes / parts), { rows: parts, seed: 7 * this.#salt });
    const { file, position } = source.end;
    const events = source.eventsBetween(before.position, position);
    this.ledger.wrote({ transaction, server: source.uuid, file, end: position, events });
  }

  rotate(): void {
    this.active.rotate();
    if (this.standby !== null && this.#random.below(3) === 0) this.standby.rotate();
  }

  /** The active one dies; `back` says when it runs again. */
  crash(): { readonly back: () => void } | null {
    const source = this.active;
    if (this.isDown(source)) return null;
    this.#down.add(source);
    source.crash();
    return { back: () => this.#recover(source) };
  }

  #recover(source: WorldSource): void {
    if (!this.#down.delete(source)) return;
    void source.recover();
  }

  recoverAll(): void {
    for (const source of this.all) this.#recover(source);
  }

  /** The other one writes from now on. False when there is none that has all. */
  switchOver(): boolean {
    const { active, standby } = this;
    if (standby === null || this.isDown(standby)) return false;
    this.active = standby;
    this.standby = active;
    this.#marks = [];
    // What is down cannot write along; it is out of date from then on.
    if (this.isDown(active)) this.standby = null;
    return true;
  }

  #mark(): void {
    const source = this.active;
    this.#marks.push({
      copy: source.copy(),
      count: this.ledger.count(source.uuid),
      gnos: new Map(this.#gnos),
    });
    if (this.#marks.length > 4) this.#marks.shift();
  }

  /**
   * The active source comes back as it was some time ago, and gives the same numbers to other
   * transactions. The standby keeps what it has: it is the one whose history is right.
   */
  putBack(): { readonly back: () => void } | null {
    const [old] = this.#marks;
    const source = this.active;
    if (old === undefined || this.isDown(source)) return null;
    this.#down.add(source);
    source.crash();
    for (const { name, bytes } of source.files) {
      const key = `${source.uuid} ${name}`;
      this.#lostFiles.set(key, [...(this.#lostFiles.get(key) ?? []), bytes]);
    }
    source.putBackInFile(old.copy);
    this.ledger.cutBack(source.uuid, old.count);
    for (const [sid, gno] of old.gnos) this.#gnos.set(sid, gno);
    this.#salt++;
    this.isWhole = false;
    this.#marks = [];
    this.rightful = this.standby ?? this.rightful;
    this.standby = null;
    return { back: () => this.#recover(source) };
  }

  /** After a source was put back: who still has all; null when nobody has, or nothing was lost. */
  rightful: WorldSource | null = null;
  /** What the active one has is what it always had. */
  isWhole = true;

  giveUpRightful(): void {
    this.rightful = null;
    this.isWhole = true;
  }

  /** The operator goes on with the one that has all; the other one is given up. */
  takeRightful(): WorldSource | null {
    const source = this.rightful;
    if (source === null || this.isDown(source)) return null;
    this.active = source;
    this.rightful = null;
    this.isWhole = true;
    this.#marks = [];
    return source;
  }

  /** All but its newest file is gone. */
  purge(): void {
    this.active.rotate();
    for (const { name, bytes } of this.active.files) {
      const key = `${this.active.uuid} ${name}`;
      this.#lostFiles.set(key, [...(this.#lostFiles.get(key) ?? []), bytes]);
    }
    this.active.cutDumps();
    this.active.purge();
    this.ledger.purged(this.active.uuid, this.active.end.file);
    this.#marks = [];
  }

  /** What this server ever had under that name. */
  filesOf(server: string, name: string): readonly Uint8Array[] {
    const source = this.all.find(({ uuid }) => uuid === server);
    const now = source?.files.find((file) => file.name === name)?.bytes;
    return [
      ...(now === undefined ? [] : [now]),
      ...(this.#lostFiles.get(`${server} ${name}`) ?? []),
    ];
  }
}

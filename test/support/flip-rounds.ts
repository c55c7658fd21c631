/**
 * One bit in the data directory of one of three node processes is changed while it is down, or a sector
 * of the log of one or of two of them is overwritten, again and again, under some load. A node must
 * refuse to start with a sentence that says what to do, or start and never serve a wrong byte: what it
 * cannot give it refuses, what is lost it gets back from its peers, and nothing that was acknowledged is
 * cut off. No two lead in one term. Run by soak.
 */
import assert from "node:assert/strict";
import type { NodeProcess } from "../../demo/node-process.ts";
import { SeededRandom } from "../../runtime/memory/random.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { MysqlCluster, VOTERS } from "./mysql-cluster.ts";
import {
  type Damage,
  describe,
  type Flip,
  type Place,
  putBack,
  Spoiler,
  write,
} from "./spoiler.ts";
import { waitFor } from "./wait-for.ts";

const BEGIN_COMMITS = 1_500;
/** They bound a hang and no busy machine. */
const START_MS = 150_000;
const REPAIR_MS = 150_000;
/** Statuses go once a second: after so long the others remember how far a log had come. */
const REMEMBERED_MS = 1_200;
const LOOK_MS = 25;

/** `harmless`: nothing depends on it, or there is a copy. `hopeless`: an alarm says to replace the node. */
type Verdict = "refused" | "repaired" | "harmless" | "hopeless";

export interface FlipRoundsReport {
  readonly flips: number;
  /** Terms that somebody was seen to lead, each by one node. */
  readonly terms: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  readonly byPlace: Readonly<Record<string, number>>;
  /** Exports that were refused while a part of a file was damaged. */
  readonly refusedExports: number;
  readonly commits: number;
  readonly slowestRepairMs: number;
}

export async function flipRounds(
  flips: number,
  seed: number,
  say: (line: string) => void,
  damage: Damage = "bit",
): Promise<FlipRoundsReport> {
  const made = await MysqlCluster.start({
    toml: '[storage]\nsegment_bytes = "128KiB"',
    load: { sessions: 1, pauseMs: 20 },
  });
  try {
    return await new FlipRounds(made, new SeededRandom(seed), say, damage).run(flips);
  } catch (error) {
    const said = await made.lastWords(20);
    throw new Error(`${(error as Error).message}\n${said}`, { cause: error });
  } finally {
    await made.stop();
  }
}

class FlipRounds {
  readonly #made: MysqlCluster;
  readonly #random: SeededRandom;
  readonly #say: (line: string) => void;
  readonly #verdicts: Record<Verdict, number> = {
    refused: 0,
    repaired: 0,
    harmless: 0,
    hopeless: 0,
  };
  readonly #byPlace: Record<string, number> = {};
  readonly #damage: Damage;
  readonly #spoiler: Spoiler;
  /** By term, who was seen to lead in it. */
  readonly #leaders = new Map<number, string>();
  /** In this round. */
  readonly #spoilt = new Set<NodeProcess>();
  #twice: string | null = null;
  #refusedExports = 0;
  #slowestRepairMs = 0;

  constructor(
    made: MysqlCluster,
    random: SeededRandom,
    say: (line: string) => void,
    damage: Damage,
  ) {
    this.#damage = damage;
    this.#spoiler = new Spoiler(random, damage);
    this.#made = made;
    this.#random = random;
    this.#say = say;
  }

  async run(flips: number): Promise<FlipRoundsReport> {
    const { load } = this.#made;
    await this.#fill();
    const wanted = GtidSet.parse(await this.#made.source.value("SELECT @@GLOBAL.gtid_executed"));
    for (const node of this.#made.cluster.nodes) {
      const has = async (): Promise<boolean> =>
        GtidSet.parse((await node.status()).stream.executed).containsSet(wanted);
      await waitFor(has, { deadlineMs: 60_000, what: `${node.name} to have the beginning` });
    }
    load.start();
    const watch = setInterval(() => void this.#watchLeaders(), LOOK_MS);
    try {
      for (let round = 1; round <= flips; round++) await this.#round(round);
    } finally {
      clearInterval(watch);
    }
    await load.stop();
    await this.#made.check();
    return {
      flips,
      terms: this.#leaders.size,
      verdicts: this.#verdicts,
      byPlace: this.#byPlace,
      refusedExports: this.#refusedExports,
      commits: load.committed,
      slowestRepairMs: Math.round(this.#slowestRepairMs),
    };
  }

  async #round(round: number): Promise<void> {
    const first = this.#random.below(VOTERS.length);
    const count = this.#damage === "sector" && round % 2 === 0 ? 2 : 1;
    const hit: { node: NodeProcess; flip: Flip; saidBefore: number }[] = [];
    this.#spoilt.clear();
    for (let i = 0; i < count; i++) {
      const node = this.#made.cluster.node(VOTERS[(first + i) % VOTERS.length]!);
      this.#spoilt.add(node);
      const flip = await this.#stopAndFlip(node, this.#spoiler.pick());
      hit.push({ node, flip, saidBefore: (await node.said()).length });
    }
    const what = `round ${round}: ${hit.map(({ node, flip }) => describe(node, flip)).join("; ")}`;
    // Together: with two of three down nobody can lead.
    for (const { node } of hit.slice(1)) node.launch();
    for (const [i, { node, flip, saidBefore }] of hit.entries()) {
      if (i === 0) node.launch();
      const verdict = await this.#judge(node, flip, what, saidBefore);
      this.#verdicts[verdict]++;
      const key = `${flip.place}: ${verdict}`;
      this.#byPlace[key] = (this.#byPlace[key] ?? 0) + 1;
    }
    assert.equal(this.#twice, null, `${what}: ${this.#twice}`);
    if (round % 10 === 0) this.#say(`${round} rounds ${JSON.stringify(this.#verdicts)}`);
    await this.#made.commitsFlow(1, 30_000, `commits after ${what}`);
  }

  async #watchLeaders(): Promise<void> {
    for (const node of this.#made.cluster.nodes) {
      const status = await node.status().catch(() => null);
      if (status?.raft.role !== "leader") continue;
      const { term } = status.raft;
      const known = this.#leaders.get(term);
      if (known !== undefined && known !== node.name)
        this.#twice = `${known} and ${node.name} lead in term ${term}`;
      this.#leaders.set(term, node.name);
    }
  }

  /** Several segments and files. */
  async #fill(): Promise<void> {
    const { source } = this.#made;
    const row = (n: number): string =>
      `('fill', REPEAT(CHAR(${97 + (n % 26)}), ${100 + (n % 900)}))`;
    for (let n = 0; n < BEGIN_COMMITS; n += 100) {
      const inserts = Array.from(
        { length: 100 },
        (_, i) => `INSERT INTO shop.orders (region, note) VALUES ${row(n + i)}`,
      );
      await source.exec(inserts.join(";"));
      if (n % 500 === 400) await source.exec("FLUSH BINARY LOGS");
    }
  }

  async #stopAndFlip(node: NodeProcess, place: Place): Promise<Flip> {
    const { load } = this.#made;
    if (place === "last batch") {
      // What it is asked for after this the others must know that it had.
      await load.stop();
      await new Promise((resolve) => setTimeout(resolve, REMEMBERED_MS));
    }
    if (this.#random.below(2) === 0) await node.kill();
    else await node.stop();
    const flip = await this.#spoiler.flip(node, place);
    if (place === "last batch") load.start();
    return flip;
  }

  /** It was launched after it had said so many characters. */
  async #judge(node: NodeProcess, flip: Flip, what: string, before: number): Promise<Verdict> {
    const saidSince = async (): Promise<string> => (await node.said()).slice(before);
    const began = performance.now();
    if (!(await this.#becomesReady(node, what))) {
      const said = await saidSince();
      assert.match(said, /BR12\d\d/, `${what}: ${said}`);
      assert.match(said, /damaged|format|is not what|missing/, `${what}: ${said}`);
      assert.match(
        said,
        /binraft log verify|move (?:the directory|it) away|[Rr]estore|recover|a newer one/,
        `${what}: what to do is said: ${said}`,
      );
      await write(flip, flip.before);
      node.launch();
      assert.ok(await this.#becomesReady(node, what), `${what}: it starts with the byte put back`);
      await this.#isWhole(node, what);
      return "refused";
    }
    await this.#exports(node, what, true);
    let hopeless = false;
    const settled = async (): Promise<boolean> => {
      const troubles = await this.#troubles(node);
      hopeless = troubles.some((trouble) => /could not be repaired from a peer/.test(trouble));
      return hopeless || troubles.length === 0;
    };
    await waitFor(settled, {
      deadlineMs: REPAIR_MS,
      what: `${what}: the alarms to go: ${(await this.#troubles(node)).join("; ")}`,
      pollMs: 50,
    });
    if (hopeless) {
      await node.stop();
      await write(flip, flip.before);
      node.launch();
      assert.ok(await this.#becomesReady(node, what), `${what}: it starts with the bytes put back`);
      await this.#isWhole(node, what);
      return "hopeless";
    }
    await this.#isWhole(node, what);
    const said = await saidSince();
    if (/Damaged entries were repaired from a peer/.test(said)) {
      this.#slowestRepairMs = Math.max(this.#slowestRepairMs, performance.now() - began);
      return "repaired";
    }
    await putBack(flip);
    return "harmless";
  }

  /** False when it ended. What it serves meanwhile is right. */
  async #becomesReady(node: NodeProcess, what: string): Promise<boolean> {
    const deadline = performance.now() + START_MS;
    while (node.running) {
      if (await node.ready()) return true;
      if (performance.now() > deadline) {
        const status = await node.status().then(JSON.stringify, String);
        assert.fail(`${what}: neither ready nor ended: ${status}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return false;
  }

  /** Alarms that are about its disk, or say that it may not be who it is. */
  async #troubles(node: NodeProcess): Promise<string[]> {
    const { alarms, storage } = await node.status();
    const kept = alarms.filter(
      (alarm) => !/is not heard of|No leader is known|does not wait for binraft/.test(alarm),
    );
    const lost = kept.find((alarm) => /shows a log up to|was removed|not the same on/.test(alarm));
    assert.equal(lost, undefined, `${node.name}: ${lost}`);
    return [...kept, ...storage.damage];
  }

  /** Each file that it gives is what another node has. */
  async #exports(node: NodeProcess, what: string, mayRefuse: boolean): Promise<void> {
    const other = this.#otherWhole(node);
    const names = (await this.#made.source.query("SHOW BINARY LOGS")).map((row) => row[0]!);
    for (const name of names) {
      const wanted = await other.exportFile(name);
      const got = await node.exportFile(name).catch((error: Error) => {
        if (!mayRefuse) throw new Error(`${what}: ${name}: ${error.message}`, { cause: error });
        this.#refusedExports++;
        return new Uint8Array();
      });
      const both = Math.min(got.length, wanted.length);
      const same = Buffer.compare(got.subarray(0, both), wanted.subarray(0, both)) === 0;
      if (!same) assert.fail(`${what}: ${await this.#howWrong(name, node, got, other, wanted)}`);
      // The newest one grows, and a node that was away catches up.
      if (!mayRefuse && name !== names.at(-1)) assert.equal(got.length, wanted.length, what);
    }
  }

  /** One that runs and was not spoilt in this round: what it gives is right. */
  #otherWhole(node: NodeProcess): NodeProcess {
    return this.#made.cluster.nodes.find(
      (one) => one !== node && one.running && !this.#spoilt.has(one),
    )!;
  }

  /** Whose bytes they are that differ, and whether they do so again. */
  async #howWrong(
    name: string,
    node: NodeProcess,
    got: Uint8Array,
    other: NodeProcess,
    wanted: Uint8Array,
  ): Promise<string> {
    const third = this.#made.cluster.nodes.find((one) => one !== node && one !== other)!;
    const files = new Map([
      [`${node.name} first`, got],
      [`${other.name} first`, wanted],
    ]);
    for (const one of [node, other, third])
      files.set(`${one.name} again`, await one.exportFile(name).catch(() => new Uint8Array()));
    const all = [...files].map(([who, bytes]) => {
      const at = bytes.findIndex((byte, i) => byte !== got[i]);
      return `${who}: ${bytes.length} bytes, differs at ${at} of ${got.length}`;
    });
    return `${name} has wrong bytes: ${all.join("; ")}`;
  }

  async #isWhole(node: NodeProcess, what: string): Promise<void> {
    const other = this.#otherWhole(node);
    const { applied } = (await other.status()).raft;
    await waitFor(async () => (await node.status()).raft.applied >= applied, {
      deadlineMs: START_MS,
      what: `${what}: it catches up`,
    });
    try {
      await this.#exports(node, what, false);
    } catch (error) {
      const { raft, storage, stream } = await node.status();
      const again = await this.#exports(node, what, false).then(
        () => "is right at the second try",
        (second: Error) => second.message,
      );
      throw new Error(
        `${(error as Error).message}; ${again}; ${JSON.stringify({ raft, damage: storage.damage, stream })}`,
        { cause: error },
      );
    }
  }
}

/**
 * What becomes of an empty data directory in a cluster (design: it never becomes a cluster by itself).
 *
 *   --bootstrap            a cluster of one, unless one that was found is of a cluster already
 *   bootstrap_expect = N   a cluster of N, once N fresh nodes see each other and each sees the same N; where
 *                          discovery lists all nodes that there are, these must be all (discovery.ts)
 *   otherwise              it joins the cluster of one that was found, or of whoever invites it, as a
 *                          learner
 *
 * A node of a cluster answers `introduce` with what the caller is to it: one of those that it was
 * formed with, whose log just is not there yet (nothing was voted or stored under it), or a stranger.
 * No list can show that nobody else forms a cluster at the same time. With a number that is more than half
 * of all nodes two cannot come about; with a smaller one the younger stops when they meet
 * (other-clusters.ts).
 *
 * The disk's name is durable before this begins, so a crash in the middle leads back here, with the
 * same result.
 */
import { concatBytes, encodeText, fromHex, MalformedBytes, toHex } from "../base/bytes.ts";
import type { Logger } from "../base/logger.ts";
import { printable } from "../base/logger.ts";
import type { Peers } from "../peers/peers.ts";
import { shaped } from "../peers/shapes.ts";
import { delay } from "../platform/clock.ts";
import { type Address, NetError } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import type { ClusterSettings } from "./cluster-settings.ts";
import type { WholeList } from "./discovery.ts";
import { type Announcement, formatAddress, parseAddress } from "./members.ts";
import type { FirstState } from "./node-state.ts";
import { NO_PLACE, type Waiting } from "./operations.ts";
import type { PeerHost } from "./peer-host.ts";
import { compare, placeOf } from "./place.ts";
import { freshArgs, introduction, inviteArgs, placeShape } from "./shapes.ts";

const ROUND_MS = 250;
const ASK_MS = 5_000;
/** A fresh node that was not heard of for so long is not counted. */
const FORGET_MS = 5_000;
const SAY_EVERY_MS = 10_000;
const MAX_INVITED = 16;
/** Fresh nodes at a time. */
const MAX_SEEN = 256;

/** What an empty directory becomes. */
export interface Place {
  readonly identity: {
    readonly raftId: number;
    readonly clusterId: string;
    readonly diskUuid: string;
    /** When the cluster was formed, by the wall clock; null when that is not known. */
    readonly foundedMs: number | null;
  };
  readonly first: FirstState;
  /** The entry that begins its first file; 0: it has the whole history (head.ts). */
  readonly startsAt: number;
  /** Where members are reached, as of then, for who has to ask them before it has a log. */
  readonly peers: readonly string[];
}

/** Of a fresh node, as it tells the others. */
export interface FreshView {
  readonly announcement: Announcement;
  readonly expect: number | null;
  /** Disks of the fresh nodes that it sees, itself included; sorted. */
  readonly sees: readonly string[];
  /** When it began to wait, by its wall clock. */
  readonly sinceMs: number;
}

/** How a node answers `introduce`. */
export type Introduction =
  | { readonly fresh: FreshView }
  | {
      readonly clusterId: string;
      /** Where the leader is, if it is known. */
      readonly leader: string;
      /** The caller's place, if the cluster was formed with its disk. */
      readonly place: Place | null;
    };

export class FormationRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FormationRefused";
  }
}

export interface FormationParts {
  readonly platform: Platform;
  readonly logger: Logger;
  readonly settings: ClusterSettings;
  readonly peers: Peers;
  readonly host: PeerHost;
  readonly announcement: Announcement;
  /** Told after each round what it waits for. */
  readonly onWaiting?: (waiting: Waiting) => void;
}

/** Rejects with FormationRefused. Waits as long as it takes. */
export function form(parts: FormationParts): Promise<Place> {
  return new Formation(parts).run();
}

class Formation {
  readonly #parts: FormationParts;
  /** Addresses of nodes that invited this one. */
  #invited: readonly Address[] = [];
  readonly #seen = new Map<string, { view: FreshView; atMs: number }>();
  /** Why this round came to nothing, by address. */
  readonly #troubles = new Map<string, string>();
  /** As of the last look; null when discovery does not list all that there are. */
  #all: WholeList | null = null;
  readonly #sinceMs: number;
  #asked = 0;
  #saidMs = Number.NEGATIVE_INFINITY;

  constructor(parts: FormationParts) {
    this.#parts = parts;
    this.#sinceMs = parts.platform.clock.wall();
  }

  async run(): Promise<Place> {
    const { host, platform, settings } = this.#parts;
    host.calls.set("introduce", async (_caller, args) => {
      this.#note(shaped(freshArgs, args, "introduction").fresh);
      return { fresh: this.#view() };
    });
    host.calls.set("invite", async (_caller, args) => {
      const address = parseAddress(shaped(inviteArgs, args, "invitation").address)!;
      this.#invite(address);
      return this.#parts.announcement;
    });
    try {
      for (;;) {
        const place = await this.#round();
        if (place !== null) return place;
        if (settings.bootstrap) return this.#alone();
        const formed = this.#together();
        if (formed !== null) return formed;
        this.#say();
        await delay(platform.clock, ROUND_MS);
      }
    } finally {
      host.calls.clear();
    }
  }

  /** Introduces this node to all it was told of; its place, if there is a cluster. */
  async #round(): Promise<Place | null> {
    const { peers, settings } = this.#parts;
    this.#troubles.clear();
    const addresses = await this.#look();
    this.#asked = addresses.length;
    for (const address of addresses) {
      const name = formatAddress(address);
      try {
        const told = await peers.ask(address, "introduce", { fresh: this.#view() }, ASK_MS);
        const answer = shaped(introduction, told, "introduction");
        if ("fresh" in answer) this.#note(answer.fresh);
        else if (answer.place !== null) return this.#own(answer.place);
        else if (settings.bootstrap) throw this.#refuse(answer.clusterId, name);
        else return await this.#join(address, answer.leader);
      } catch (error) {
        if (error instanceof FormationRefused) throw error;
        this.#troubles.set(name, printable((error as Error).message, 256));
      }
    }
    return null;
  }

  /** Whom to ask in this round. */
  async #look(): Promise<Address[]> {
    const { discovery, advertised } = this.#parts.settings;
    let found: readonly Address[] = [];
    try {
      const sighting = await discovery.look();
      this.#all = sighting.all;
      found = sighting.addresses;
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      this.#all = { doubt: "discovery failed" };
      this.#troubles.set("discovery", printable(error.message, 256));
    }
    const all = [...this.#invited, ...found];
    return all.filter((address) => formatAddress(address) !== advertised.peer);
  }

  #refuse(clusterId: string, address: string): FormationRefused {
    return new FormationRefused(
      `This directory is empty and ${address} is of cluster ${clusterId}: a second cluster must not be ` +
        "formed beside it. Start without --bootstrap: this node then joins as a new learner; promote it and " +
        "remove the old member, if it had been one",
    );
  }

  async #join(address: Address, leader: string): Promise<Place> {
    const { peers, announcement, settings } = this.#parts;
    const place = await peers.ask(
      parseAddress(leader) ?? address,
      "join",
      { announcement, history: settings.history },
      4 * ASK_MS,
    );
    return this.#own(shaped(placeShape, place, "place"));
  }

  /** A place is a disk's: another one's would make two nodes of one. */
  #own(place: Place): Place {
    const { diskUuid } = this.#parts.announcement;
    if (place.identity.diskUuid !== diskUuid)
      throw new MalformedBytes("a place that is another disk's", 0);
    return place;
  }

  /** The newest is asked first. */
  #invite(address: Address): void {
    const name = formatAddress(address);
    const others = this.#invited.filter((one) => formatAddress(one) !== name);
    this.#invited = [address, ...others].slice(0, MAX_INVITED);
  }

  #view(): FreshView {
    const { announcement, settings } = this.#parts;
    return {
      announcement,
      expect: settings.bootstrapExpect,
      sees: this.#fresh().map((one) => one.diskUuid),
      sinceMs: this.#sinceMs,
    };
  }

  #note(view: FreshView): void {
    const { announcement, platform } = { ...this.#parts, ...view };
    // One that only wants to join is none of those that form.
    if (view.expect === null || announcement.diskUuid === this.#parts.announcement.diskUuid) return;
    if (this.#seen.size >= MAX_SEEN && !this.#seen.has(announcement.diskUuid)) return;
    this.#seen.set(announcement.diskUuid, { view, atMs: platform.clock.mono() });
  }

  /** All fresh nodes, this one too, by their disks. */
  #fresh(): Announcement[] {
    const { platform, announcement } = this.#parts;
    const since = platform.clock.mono() - FORGET_MS;
    for (const [uuid, { atMs }] of this.#seen) if (atMs < since) this.#seen.delete(uuid);
    const others = [...this.#seen.values()].map(({ view }) => view.announcement);
    return [announcement, ...others].sort((a, b) => compare(a.diskUuid, b.diskUuid));
  }

  #alone(): Place {
    const { platform, announcement } = this.#parts;
    const clusterId = toHex(platform.random.bytes(16));
    return placeOf([announcement], announcement.diskUuid, clusterId, this.#sinceMs);
  }

  /** Null until all agree. */
  #together(): Place | null {
    const { settings, announcement, platform } = this.#parts;
    const expected = settings.bootstrapExpect;
    if (expected === null) return null;
    const fresh = this.#fresh();
    const uuids = fresh.map(({ diskUuid }) => diskUuid);
    if (fresh.length !== expected || this.#mayBeMore(expected)) return null;
    for (const { view } of this.#seen.values()) {
      if (view.expect !== expected || view.sees.join() !== uuids.join()) return null;
    }
    const named = concatBytes([encodeText("binraft cluster\n"), ...uuids.map(fromHex)]);
    const clusterId = toHex(platform.crypto.sha256(named).subarray(0, 16));
    const since = [...this.#seen.values()].map(({ view }) => view.sinceMs);
    return placeOf(fresh, announcement.diskUuid, clusterId, Math.max(this.#sinceMs, ...since));
  }

  /** Where discovery lists all that there are: it has others, or may be wrong. */
  #mayBeMore(expected: number): boolean {
    return this.#all !== null && (this.#all.doubt !== null || this.#asked + 1 !== expected);
  }

  #say(): void {
    const { platform, logger, onWaiting } = this.#parts;
    const troubles = [...this.#troubles].map(([address, why]) => `${address}: ${why}`).join("; ");
    const why = troubles === "" ? this.#next() : `${troubles}. Else ${this.#next()}`;
    onWaiting?.({ ...NO_PLACE, reason: `${NO_PLACE.reason}: ${why}` });
    const now = platform.clock.mono();
    if (now - this.#saidMs < SAY_EVERY_MS) return;
    this.#saidMs = now;
    logger.warn("This node has no place in a cluster yet", { next: this.#next(), troubles });
  }

  #next(): string {
    const { bootstrapExpect, advertised } = this.#parts.settings;
    if (this.#all?.doubt != null) return this.#all.doubt;
    if (bootstrapExpect !== null && this.#all !== null && this.#asked + 1 !== bootstrapExpect)
      return (
        `it forms one when exactly ${bootstrapExpect} nodes exist (cluster.bootstrap_expect), and ` +
        `${this.#asked + 1} do: ` +
        "start those that are stopped, since they may have a cluster; remove those that are gone for good, or " +
        "start this one with --bootstrap"
      );
    if (bootstrapExpect !== null)
      return `it forms one with ${bootstrapExpect} fresh nodes and sees ${this.#fresh().length}`;
    if (this.#all !== null)
      return (
        "it joins as soon as one of them is of a cluster; to form one, set cluster.bootstrap_expect to the number of " +
        "nodes that begin, or start one with --bootstrap"
      );
    return this.#asked > 0
      ? "it joins as soon as one of them answers"
      : `run binraft member add ${advertised.peer} on a node of the cluster, or start with --bootstrap`;
  }
}

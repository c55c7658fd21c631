/**
 * Places for connections from strangers. Who has said nothing that counts yet may have to go: where all
 * places are taken, the oldest such connection goes for the new one, so that silence cannot keep anyone
 * out. An address has so many places and no more, of IPv6 its whole /64, which one machine owns.
 *
 * Pure: the caller closes what is evicted, and says when one has spoken, is idle again, or left.
 */
import { assert } from "./assert.ts";

export interface AdmissionLimits {
  readonly places: number;
  readonly placesPerAddress: number;
}

export interface Admitted<Guest> {
  readonly isAdmitted: boolean;
  /** Has to be closed, and has left already. */
  readonly evicted: Guest | null;
}

const REFUSED = { isAdmitted: false, evicted: null };

export class Admission<Guest> {
  readonly #limits: AdmissionLimits;
  readonly #addresses = new Map<Guest, string>();
  readonly #counts = new Map<string, number>();
  /** The oldest first. */
  readonly #silent = new Set<Guest>();

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#addresses.size;
  }

  enter(guest: Guest, address: string): Admitted<Guest> {
    assert(!this.#addresses.has(guest), "a guest enters once");
    const key = addressGroup(address);
    const { places, placesPerAddress } = this.#limits;
    let evicted: Guest | null = null;
    if ((this.#counts.get(key) ?? 0) >= placesPerAddress) evicted = this.#oldestSilent(key);
    else if (this.size >= places) evicted = this.#oldestSilent(null);
    else return this.#admit(guest, key, null);
    if (evicted === null) return REFUSED;
    this.leave(evicted);
    return this.#admit(guest, key, evicted);
  }

  /** It has done what counts, or works: it keeps its place. */
  spoke(guest: Guest): void {
    this.#silent.delete(guest);
  }

  /** It may have to go again. */
  fellSilent(guest: Guest): void {
    if (this.#addresses.has(guest)) this.#silent.add(guest);
  }

  leave(guest: Guest): void {
    const key = this.#addresses.get(guest);
    if (key === undefined) return;
    this.#addresses.delete(guest);
    this.#silent.delete(guest);
    const left = this.#counts.get(key)! - 1;
    if (left === 0) this.#counts.delete(key);
    else this.#counts.set(key, left);
  }

  #admit(guest: Guest, key: string, evicted: Guest | null): Admitted<Guest> {
    this.#addresses.set(guest, key);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.#silent.add(guest);
    return { isAdmitted: true, evicted };
  }

  #oldestSilent(key: string | null): Guest | null {
    for (const guest of this.#silent)
      if (key === null || this.#addresses.get(guest) === key) return guest;
    return null;
  }
}

/** What counts as one address: an IPv4 address, mapped or not, or the first 64 bits of an IPv6 one. */
export function addressGroup(address: string): string {
  const bare = address.replace(/%.*$/, "").toLowerCase();
  const mapped = /^::ffff:([0-9]{1,3}(?:\.[0-9]{1,3}){3})$/.exec(bare);
  if (mapped !== null) return mapped[1]!;
  if (!bare.includes(":")) return bare;
  const [head = "", tail] = bare.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const gap = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array<string>(gap).fill("0"), ...back];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

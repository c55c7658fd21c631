/**
 * The generator of the simulation (sfc32): small, fast and the same on every runtime. `fork`
 * gives an independent stream per name, so that one more draw here changes nothing there.
 */

import { encodeText } from "../../src/base/bytes.ts";
import { crc32 } from "../../src/base/crc32.ts";
import type { Random } from "../../src/platform/platform.ts";

const WARM_UP = 16;

export class SeededRandom implements Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c = 0x9e3779b9;
  #counter = 1;

  constructor(seed: number) {
    this.seed = seed;
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    for (let i = 0; i < WARM_UP; i++) this.u32();
  }

  u32(): number {
    const out = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + out;
    return out >>> 0;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** Uniform in 0 … limit - 1. */
  below(limit: number): number {
    return Math.floor(this.float() * limit);
  }

  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) out[i] = this.u32();
    return out;
  }

  fork(name: string): SeededRandom {
    const bytes = encodeText(name);
    const mixed = crc32(bytes, 0, bytes.length, this.seed >>> 0);
    return new SeededRandom(mixed * 0x10_0000 + ((this.seed >>> 12) & 0xf_ffff));
  }
}

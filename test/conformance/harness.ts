/**
 * What the conformance suite needs from the runtime under test besides its platform. A gap is a
 * named, known difference with its reason: the tests that it concerns are skipped under that
 * reason, never silently.
 */
import { test } from "node:test";
import type { Disk } from "../../src/platform/disk.ts";
import type { Platform } from "../../src/platform/platform.ts";
import type { Authority } from "../support/authority.ts";

export interface Harness {
  readonly platform: Platform;
  /** Runs a test; the simulation drives its time here. */
  run(task: () => Promise<void>): Promise<void>;
  /** A data directory that no other test uses. */
  newRoot(): Promise<string>;
  /** A disk with this much space. */
  smallDisk(bytes: number): Promise<Disk>;
  /** Another process that holds the lock of this directory until it is killed without notice. */
  lockElsewhere(root: string): Promise<{ kill(): Promise<void> }>;
  /** A CA whose certificates this platform's TLS understands. */
  authority(commonName: string): Promise<Authority>;
  fetch(port: number, path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

export type Gap = "realTls" | "smallDisk" | "expiryNamed" | "ipv6";
export type Gaps = Readonly<
  Partial<Record<Gap, { readonly missing: true; readonly reason: string }>>
>;

export interface Suite {
  readonly name: string;
  readonly gaps: Gaps;
  check(title: string, body: (harness: Harness) => Promise<void>, needs?: Gap): void;
}

/** Bounds a hang and no slow machine. */
const TEST_TIMEOUT_MS = 15 * 60_000;

export function suite(name: string, makeHarness: () => Promise<Harness>, gaps: Gaps): Suite {
  return {
    name,
    gaps,
    check(title, body, needs) {
      const gap = needs === undefined ? undefined : gaps[needs];
      const options = { timeout: TEST_TIMEOUT_MS, skip: gap === undefined ? false : needs! };
      // In the name: Bun's and Deno's reports do not give the reason of a skip.
      const why = gap === undefined ? "" : ` (${needs}: ${gap.reason})`;
      test(`${name}: ${title}${why}`, options, async () => {
        const harness = await makeHarness();
        try {
          await harness.run(() => body(harness));
        } finally {
          await harness.close();
        }
      });
    },
  };
}

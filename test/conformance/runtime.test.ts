/** The platform contract on the runtime that runs this. */
import { OWN_RUNTIME } from "../../demo/runtimes.ts";
import { thisPlatform } from "../support/this-platform.ts";
import { conformance } from "./conformance.ts";
import type { Gaps } from "./harness.ts";
import { ipv6Gap, mountGap, realHarness } from "./node-harness.ts";

/** What a runtime does otherwise than the contract says; none of it loses data or lets anyone in. */
const RUNTIME_GAPS: Readonly<Record<typeof OWN_RUNTIME, Gaps>> = {
  node: {},
  bun: {},
  deno: {
    expiryNamed: {
      missing: true,
      reason: "Deno refuses an expired certificate as one that no known CA has signed",
    },
  },
};

const gaps: Gaps = { ...RUNTIME_GAPS[OWN_RUNTIME], ...(await mountGap()), ...(await ipv6Gap()) };
const platform = await thisPlatform();
conformance(OWN_RUNTIME, () => realHarness(platform), gaps);

/** For nodes of tests: the source's settings may name any file, and secrets are sealed by a key that all have. */
import type { NodeSettings } from "../../src/cluster/node-settings.ts";

export const ANY_SECRET: Pick<NodeSettings, "secretPlaces" | "sealKeys"> = {
  secretPlaces: { folder: "", named: new Set() },
  sealKeys: async () => [new Uint8Array(32).fill(7)],
};

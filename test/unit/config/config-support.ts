/** A process with a few files and variables, for tests of the configuration. */

import type { HostingSettings } from "../../../src/config/hosting.ts";
import { ConfigError, type Loaded, loadConfig } from "../../../src/config/load.ts";
import { DiskError } from "../../../src/platform/disk.ts";

export interface Situation {
  readonly toml?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, string>>;
  /** Where the file is; given as --config unless it is ./binraft.toml. */
  readonly file?: string;
  readonly hosting?: HostingSettings;
}

export function load(situation: Situation): Promise<Loaded> {
  const { toml, file = "binraft.toml" } = situation;
  return loadConfig({
    process: {
      env: situation.env ?? {},
      hostname: () => "host_1.example",
      readTextFile: async (path) => {
        if (path === file && toml !== undefined) return toml;
        throw new DiskError("ENOENT", `Cannot read ${path}`);
      },
    },
    disk: (root) => ({ root: root.startsWith("/") ? root : `/cwd/${root.replace(/^\.\//, "")}` }),
    flags: new Map(Object.entries(situation.flags ?? {})),
    file: file === "binraft.toml" ? null : file,
    hosting: situation.hosting ?? null,
  });
}

/** The sentences that a faulty configuration gets. */
export async function problems(situation: Situation): Promise<string[]> {
  try {
    await load(situation);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((problem) => problem.message);
    throw error;
  }
  return [];
}

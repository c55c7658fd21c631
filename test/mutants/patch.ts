/** Who hunts a planted bug first: a simulator, of bare cores, of machines or of whole nodes, or tests alone. */
export type Hunter = "cores" | "machines" | "nodes" | "tests";

/** A planted bug: `from`, which occurs once in `file`, becomes `to`. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly by: Hunter;
  /** What is asked when the simulator finds nothing, or at once: a pattern of test files. */
  readonly tests?: string;
}

export function patch(
  by: Hunter,
  tests?: string,
): (name: string, file: string, from: string, to: string) => Mutant {
  const hunted = tests === undefined ? { by } : { by, tests };
  return (name, file, from, to) => ({ name, file, from, to, ...hunted });
}

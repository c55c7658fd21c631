/** A planted bug: `from`, which occurs once in `file`, becomes `to`. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Which simulator hunts it: of bare cores, or of machines with the product's log and ready loop. */
  readonly by: "cores" | "machines";
}

export function patch(
  by: Mutant["by"],
): (name: string, file: string, from: string, to: string) => Mutant {
  return (name, file, from, to) => ({ name, file, from, to, by });
}

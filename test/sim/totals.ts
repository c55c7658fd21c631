/** Sums over many seeds: what a report about the simulator must say beside "no violation". */
export interface RunFigures {
  readonly virtualMs: number;
  readonly commits: number;
  readonly counts: Readonly<Record<string, number>>;
}

export class Totals {
  seeds = 0;
  #virtualMs = 0;
  #commits = 0;
  readonly #counts = new Map<string, number>();

  add({ virtualMs, commits, counts }: RunFigures): void {
    this.seeds++;
    this.#virtualMs += virtualMs;
    this.#commits += commits;
    for (const [what, count] of Object.entries(counts))
      this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** "12,345 seeds, 67.8 simulated hours, …" and what happened, by kind. */
  describe(): string {
    const n = (value: number): string => value.toLocaleString("en-US");
    const kinds = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    const hours = (this.#virtualMs / 3_600_000).toFixed(1);
    return (
      `${n(this.seeds)} seeds, ${hours} simulated hours, ${n(this.#commits)} commits; ` +
      kinds.map(([what, count]) => `${what} ${n(count)}`).join(", ")
    );
  }
}

/**
 * `node test/sim/traces.ts [seeds] [events]`: prints `seed trace` for each seed from 1 on. A trace
 * is of all that was sent and applied, so whoever prints the same lines did the same. Runs on every
 * runtime, so it takes its arguments plainly and reads nothing.
 */
import process from "node:process";
import { drawEvents, drawOptions } from "./events.ts";
import { run } from "./simulate.ts";

const [seeds = 20, events = 1_500] = process.argv.slice(2).map(Number);
for (let seed = 1; seed <= seeds; seed++) {
  const { error, trace } = run(drawOptions(seed), drawEvents(seed, events));
  if (error !== null) throw error;
  console.log(`${seed} ${trace}`);
}

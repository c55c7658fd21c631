/**
 * The simulator by hand. A failure prints the seed, its options and the shortest list of events
 * found that still fails.
 *
 *   npm run sim [-- --from N] [--seeds N] [--events N] [--seconds S]     bare cores
 *   npm run sim -- --machines [--from N] [--seeds N] [--seconds S]       log, ready loop and apply
 *                                                                        on simulated machines
 *   npm run sim -- --nodes [--from N] [--seeds N] [--seconds S]          whole nodes, a source, replicas
 *   npm run sim -- --trace DIR [--from N] [--seeds N]                    traces for the TLA+ specification
 */
import { parseArgs } from "node:util";
import { simulateMachines } from "./machines/simulate.ts";
import { SEEDS_FOR_ALL, unreached } from "./nodes/reached.ts";
import { simulateNodes } from "./nodes/simulate.ts";
import { simulate } from "./simulate.ts";
import { Totals } from "./totals.ts";
import { writeTraces } from "./trace-files.ts";

const { values } = parseArgs({
  options: {
    machines: { type: "boolean", default: false },
    nodes: { type: "boolean", default: false },
    from: { type: "string", default: "1" },
    seeds: { type: "string", default: "2000" },
    events: { type: "string", default: "1500" },
    seconds: { type: "string", default: "0" },
    trace: { type: "string" },
    "no-shrink": { type: "boolean", default: false },
  },
});

if (values.trace !== undefined) {
  const seeds = Math.min(Number(values.seeds), 100);
  console.log(writeTraces(values.trace, Number(values.from), seeds));
  process.exit(0);
}

const totals = new Totals();

/** What a seed violates, as a report; null when nothing. */
async function judge(seed: number): Promise<string | null> {
  const shrinks = !values["no-shrink"];
  if (values.nodes || values.machines) {
    const simulateOne = values.nodes ? simulateNodes : simulateMachines;
    const { outcome, report } = await simulateOne(seed, shrinks);
    totals.add(outcome);
    return report;
  }
  return simulate(seed, Number(values.events), shrinks)?.report() ?? null;
}

const began = performance.now();
const limitMs = Number(values.seconds) * 1000;
let ran = 0;
for (let seed = Number(values.from); ran < Number(values.seeds); seed++) {
  const report = await judge(seed);
  ran++;
  if (report !== null) {
    console.log(report);
    process.exit(1);
  }
  if (limitMs > 0 && performance.now() - began > limitMs) break;
}
const seconds = (performance.now() - began) / 1000;
if (totals.seeds > 0) console.log(totals.describe());
console.log(`${ran} seeds, ${(ran / seconds).toFixed(1)} a second, no violation`);
const missing = values.nodes && ran >= SEEDS_FOR_ALL ? unreached(totals.counts) : [];
if (missing.length > 0) {
  console.log(missing.join("\n"));
  process.exit(1);
}

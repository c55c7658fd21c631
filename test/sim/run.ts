/**
 * `node test/sim/run.ts [--from N] [--seeds N] [--events N] [--seconds S]`: runs of the simulator. A
 * failure prints the seed, its options and the shortest list of events found that still fails.
 */
import { parseArgs } from "node:util";
import { simulate } from "./simulate.ts";

const { values } = parseArgs({
  options: {
    from: { type: "string", default: "1" },
    seeds: { type: "string", default: "2000" },
    events: { type: "string", default: "1500" },
    seconds: { type: "string", default: "0" },
    "no-shrink": { type: "boolean", default: false },
  },
});
const began = performance.now();
const limitMs = Number(values.seconds) * 1000;
let ran = 0;
for (let seed = Number(values.from); ran < Number(values.seeds); seed++) {
  const failure = simulate(seed, Number(values.events), !values["no-shrink"]);
  ran++;
  if (failure !== null) {
    console.log(failure.report());
    process.exit(1);
  }
  if (limitMs > 0 && performance.now() - began > limitMs) break;
}
const seconds = (performance.now() - began) / 1000;
console.log(`${ran} seeds, ${(ran / seconds).toFixed(0)} a second, no violation`);

/** `node runtime/which.ts RUNTIME`: where the program of a runtime is; for the Dockerfile. */
import { RUNTIMES, type Runtime, runtimeProgram } from "../demo/runtimes.ts";

const wanted = process.argv[2] ?? "";
const program = RUNTIMES.some((one) => one === wanted) ? runtimeProgram(wanted as Runtime) : null;
if (program === null) throw new Error(`RUNTIME is "${wanted}": expected ${RUNTIMES.join(", ")}`);
process.stdout.write(`${program}\n`);

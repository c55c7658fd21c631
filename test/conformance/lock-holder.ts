/** A process that locks the data directory it is given, says so, and waits to be killed. */
import { thisPlatform } from "../support/this-platform.ts";

await (await thisPlatform()).disk(process.argv[2]!).lock();
// What frees it is kept by nobody here: the lock must outlive collections all the same, each after
// another turn of the loop, since what the stack still names is not collected.
const { Bun } = globalThis as { Bun?: { gc(sync: boolean): void } };
for (let i = 0; i < 5; i++) {
  await new Promise((resolve) => setImmediate(resolve));
  Bun?.gc(true);
}
process.stdout.write("locked\n");
setInterval(() => {}, 1_000);

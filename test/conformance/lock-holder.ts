/** A process that locks the data directory it is given, says so, and waits to be killed. */
import { thisPlatform } from "../support/this-platform.ts";

await (await thisPlatform()).disk(process.argv[2]!).lock();
// What frees it is kept by nobody here: the lock must outlive a collection all the same.
const { Bun } = globalThis as { Bun?: { gc(sync: boolean): void } };
for (let i = 0; i < 5; i++) {
  await new Promise((resolve) => setTimeout(resolve, 10));
  Bun?.gc(true);
}
process.stdout.write("locked\n");
setInterval(() => {}, 1_000);

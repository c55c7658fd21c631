/**
 * A process that locks the data directory it is given, says so, and waits to be killed. When it is
 * refused it says why, and ends.
 */
import { thisPlatform } from "../support/this-platform.ts";

try {
  await (await thisPlatform()).disk(process.argv[2]!).lock();
} catch (error) {
  const { code, message } = error as Error & { code?: string };
  process.stdout.write(`refused: ${code}: ${message}\n`);
  process.exit(1);
}
// What frees it is kept by nobody here: the lock must outlive collections all the same, each after
// another turn of the loop, since what the stack still names is not collected.
const { Bun } = globalThis as { Bun?: { gc(sync: boolean): void } };
for (let i = 0; i < 5; i++) {
  await new Promise((resolve) => setImmediate(resolve));
  Bun?.gc(true);
}
process.stdout.write("locked\n");
setInterval(() => {}, 1_000);

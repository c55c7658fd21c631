/** A process that locks the data directory it is given, says so, and waits to be killed. */
import { thisPlatform } from "../support/this-platform.ts";

await (await thisPlatform()).disk(process.argv[2]!).lock();
process.stdout.write("locked\n");
setInterval(() => {}, 1_000);

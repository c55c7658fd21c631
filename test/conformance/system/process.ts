/**
 * A process that tells of its signals: SIGHUP as often as it comes, SIGINT once and then no more, and
 * SIGTERM, at which it ends.
 *
 *   process.ts          process.ts reject   one that forgets to wait for what fails
 */
import { thisPlatform } from "../../support/this-platform.ts";

const { process, clock } = await thisPlatform();
if (process.argv[0] === "reject") {
  void Promise.reject(new Error("nobody waits for this"));
} else {
  process.onSignal("SIGHUP", () => process.stdout.write("SIGHUP\n"));
  const cancel = process.onSignal("SIGINT", () => {
    cancel();
    process.stdout.write("SIGINT\n");
  });
  process.onSignal("SIGTERM", () => {
    process.stdout.write("SIGTERM\n");
    clock.soon(() => process.exit(7));
  });
  process.stdout.write("ready\n");
}
clock.after(60_000, () => process.exit(9));

/**
 * What a node does with its files, once each, to be watched by strace:
 *
 *   disk-calls.ts ROOT        the calls of the disk
 *   disk-calls.ts ROOT write  one write of 64 parts of 1,000 bytes, each full of its number
 */
import { thisPlatform } from "../../support/this-platform.ts";

const platform = await thisPlatform();
const [root = "", what] = platform.process.argv;
const disk = platform.disk(root);
if (what === "write") {
  const file = await disk.open("parts", "rw");
  const parts = Array.from({ length: 64 }, (_, number) => new Uint8Array(1_000).fill(number + 1));
  await file.write(0, parts);
  await file.close();
} else {
  await disk.makeDir("log");
  const file = await disk.open("log/synced", "create");
  for (let at = 0; at < 3; at++) {
    await file.write(at, [Uint8Array.of(at)]);
    await file.sync();
  }
  await file.close();
  const durable = await disk.open("log/synced", "durable");
  await durable.write(0, [Uint8Array.of(7)]);
  await durable.close();
  await disk.rename("log/synced", "log/renamed");
  await disk.syncDir("log");
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield Uint8Array.of(1, 2, 3);
  }
  await platform.process.writeFile(`${root}/exported`, chunks(), 0o600);
}
platform.process.exit(0);

/** One write of a thousand small parts on a connection to itself, to be watched by strace. */
import { thisPlatform } from "../../support/this-platform.ts";

const PARTS = 1_000;
const PART_BYTES = 100;
const { net, process } = await thisPlatform();
const listener = await net.listen({ host: "127.0.0.1", port: 0 }, async (conn) => {
  let left = PARTS * PART_BYTES;
  while (left > 0) left -= (await conn.read())!.length;
  process.exit(0);
});
const conn = await net.connect(listener.address, 5_000);
conn.write(Array.from({ length: PARTS }, () => new Uint8Array(PART_BYTES)));

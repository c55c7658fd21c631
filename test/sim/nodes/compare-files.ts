/**
 * B8: at the end every file of every node is the source's, byte for byte; of one whose tail nobody pulled, the
 * beginning; of a partial one, the head and what follows the hole.
 */
import { concatBytes } from "../../../src/base/bytes.ts";
import { eventSize, FILE_MAGIC } from "../../../src/binlog/event.ts";
import type { BinlogFile } from "../../../src/binlog/file-view.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import { Violation } from "../ghost.ts";
import type { NodeCluster } from "./cluster.ts";

/** How long a damaged file may take until it is repaired. */
const REPAIR_MS = 120_000;

/** Rejects with a Violation. */
export async function compareFiles(cluster: NodeCluster): Promise<void> {
  const { nodes, sources } = cluster;
  for (const { node, name } of nodes) {
    if (node === null || node.core.driver.consensus.fenced !== null) continue;
    for (const file of node.files()) {
      const got = await exported(cluster, node, file.name);
      const wanted = sources.filesOf(file.sourceUuid, file.sourceName);
      if (wanted.some((bytes) => isFile(file, got, bytes))) continue;
      throw new Violation(
        "B8",
        `${name}: ${file.name} has ${got.length} bytes that are not those of ${file.sourceUuid} ` +
          `${file.sourceName}, ${wanted.map(({ length }) => length)}: ${JSON.stringify({ ...file, gtidsBefore: "" })}`,
      );
    }
  }
}

/** The read that finds damage starts its repair, from whoever has the entries. */
async function exported(
  { world: { time } }: NodeCluster,
  node: RunningNode,
  name: string,
): Promise<Uint8Array> {
  for (const until = time.now + REPAIR_MS; ; await time.advance(1_000)) {
    const parts: Uint8Array[] = [];
    try {
      await time.run(async () => {
        for await (const part of node.exportFile(name)) parts.push(part.slice());
      });
      return concatBytes(parts);
    } catch (error) {
      const isDamage = (error as Error).name === "EntryDamaged";
      if (!isDamage) throw error;
      if (time.now > until)
        throw new Violation("Q1", `never repaired: ${(error as Error).message}`);
    }
  }
}

function isFile(file: BinlogFile, got: Uint8Array, bytes: Uint8Array): boolean {
  const upTo = bytes.subarray(0, file.size);
  if (upTo.length < file.size) return false;
  const isWhole = file.end === "rotate" || file.end === "stop" || file.end === "crash";
  // An open file is the newest one, or its node saw no more of it.
  if (isWhole && bytes.length !== file.size) return false;
  if (!file.partial) return Buffer.compare(got, upTo) === 0;
  return isWithHoles(got, upTo);
}

/** Its events are some of the file's, in their order: the first two, and the last one. */
function isWithHoles(got: Uint8Array, bytes: Uint8Array): boolean {
  let at = FILE_MAGIC.length;
  for (let from = at; from < got.length; ) {
    const event = got.subarray(from, from + eventSize(got.subarray(from)));
    for (;;) {
      if (at >= bytes.length) return false;
      const size = eventSize(bytes.subarray(at));
      const isSame = Buffer.compare(event, bytes.subarray(at, at + size)) === 0;
      at += size;
      if (isSame) break;
    }
    from += event.length;
  }
  return true;
}

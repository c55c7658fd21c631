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
import { isAtRest } from "./rest.ts";

/** How long a damaged file may take until it is repaired. */
const REPAIR_MS = 240_000;

/** Rejects with a Violation. */
export async function compareFiles(cluster: NodeCluster): Promise<void> {
  const until = cluster.world.time.now + REPAIR_MS;
  while (!(await areTheSources(cluster))) {
    if (cluster.world.time.now > until) throw new Violation("Q1", "damage is never repaired");
    // Its repair has begun with that, or an operator sees that there is none.
    await cluster.world.time.advance(5_000);
    await cluster.until("rest once more", () => isAtRest(cluster), REPAIR_MS);
  }
}

/** False when a file could not be read, for its disk is damaged. */
async function areTheSources({ nodes, sources, world }: NodeCluster): Promise<boolean> {
  for (const { node, name } of nodes) {
    if (node === null || node.core.driver.consensus.fenced !== null) continue;
    for (const file of node.files()) {
      const got = await world.time.run(() => exported(node, file.name));
      if (got === null) return false;
      const wanted = sources.filesOf(file.sourceUuid, file.sourceName);
      if (wanted.some((bytes) => isFile(file, got, bytes))) continue;
      throw new Violation(
        "B8",
        `${name}: ${file.name} has ${got.length} bytes that are not those of ${file.sourceUuid} ` +
          `${file.sourceName}, ${wanted.map(({ length }) => length)}: ${JSON.stringify({ ...file, gtidsBefore: "" })}`,
      );
    }
  }
  return true;
}

/** Null when it stands on damage. */
async function exported(node: RunningNode, name: string): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of node.exportFile(name)) parts.push(part.slice());
  } catch (error) {
    if ((error as Error).name === "EntryDamaged") return null;
    throw error;
  }
  return concatBytes(parts);
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

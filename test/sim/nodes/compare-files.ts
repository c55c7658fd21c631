/** B8: at the end every file of every node is the source's, byte for byte. */
import { Violation } from "../ghost.ts";
import type { NodeCluster } from "./cluster.ts";

/** Rejects with a Violation. */
export async function compareFiles({ nodes, source, world }: NodeCluster): Promise<void> {
  const theirs = new Map(source.files.map(({ name, bytes }) => [name, bytes]));
  for (const { node, name } of nodes) {
    if (node === null || node.core.driver.consensus.fenced !== null) continue;
    for (const file of node.files()) {
      const wanted = theirs.get(file.name);
      if (file.partial || wanted === undefined)
        throw new Violation("B8", `${name} has ${file.name}, partial ${file.partial}`);
      const got = await world.time.run(async () => {
        const parts: Uint8Array[] = [];
        for await (const part of node.exportFile(file.name)) parts.push(part.slice());
        return Buffer.concat(parts);
      });
      if (!got.equals(wanted))
        throw new Violation(
          "B8",
          `${name}: ${file.name} has ${got.length} bytes, not the source's ${wanted.length}`,
        );
    }
  }
}

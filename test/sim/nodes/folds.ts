/**
 * B9 for the stream: what apply has made of the same entries is the same on all nodes, after each of them. The
 * rolling hash of entries says nothing of that: a fold that differs between two nodes gives their replicas
 * two histories.
 */
import { encodeText } from "../../../src/base/bytes.ts";
import { crc32 } from "../../../src/base/crc32.ts";
import type { NodeState } from "../../../src/cluster/node-state.ts";
import { Violation } from "../ghost.ts";

/** After so many entries all of the state is compared, which costs more. */
const WHOLE_EVERY = 16;

export class Folds {
  /** By entry, what it was at the first node. */
  readonly #seen = new Map<string, { readonly hash: number; readonly text: string }>();
  compared = 0;

  /** Throws a Violation. */
  compare(node: string, state: NodeState): void {
    const { applied } = state.stream;
    this.#compare(node, `${applied}`, moving(state));
    // One that joined from now lacks the files before its own, and so all that belongs to them.
    if (applied % WHOLE_EVERY === 0 && state.startsAt === 0)
      this.#compare(node, `${applied}, all`, whole(state));
  }

  #compare(node: string, key: string, value: unknown): void {
    const text = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `${one}` : one));
    const bytes = encodeText(text);
    const hash = crc32(bytes, 0, bytes.length);
    const known = this.#seen.get(key);
    if (known === undefined) {
      this.#seen.set(key, { hash, text });
      return;
    }
    this.compared++;
    if (known.hash !== hash)
      throw new Violation(
        "B9",
        `${node} made of the entries up to ${key}: ${text}, not ${known.text}`,
      );
  }
}

/** What may change with each entry. */
function moving({ stream, settings }: NodeState): unknown {
  const { epoch, source, pull, nextPullSequence, streamEnd, visibleEnd, visible } = stream;
  const { fileEnd, sequence, visibleSequence, open, last, brokenPulls, file } = stream;
  return [
    [epoch, source, pull, nextPullSequence, streamEnd, visibleEnd, visible],
    [fileEnd, sequence, visibleSequence, open, last, brokenPulls],
    file === null ? null : [file.name, file.sourceName, file.sourceUuid, file.size, file.end],
    file?.partial,
    stream.executed.toString(),
    settings.syncer,
  ];
}

function whole({ stream }: NodeState): unknown {
  const { purged, files, dead, marks, base, highestFileNumber, origins, sourceUuids } = stream;
  return [
    purged.toString(),
    files.map((file) => ({ ...file, gtidsBefore: file.gtidsBefore.toString() })),
    [dead, marks, base, highestFileNumber, [...origins], [...sourceUuids]],
  ];
}

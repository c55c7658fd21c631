/**
 * A download into a file: for its owner alone, since it is the customers' data in clear; never in the place of a
 * file that is there, unless that is said; with a line now and then for who waits.
 */
import { CliError, ExitCode } from "./context.ts";
import { formatBytes } from "./output.ts";
import type { Verb } from "./verb.ts";

const SAY_EVERY_MS = 5_000;

/** Resolves with how many bytes there were. */
export async function saveDownload(
  { context, output }: Verb,
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  force: boolean | undefined,
): Promise<number> {
  const { process, clock } = context.platform;
  if (force !== true && (await process.fileExists(path))) {
    throw new CliError(
      ExitCode.FAILED,
      "BR5004",
      `"${path}" is there already`,
      "give another path, or --force to replace it",
    );
  }
  let bytes = 0;
  let saidMs = clock.mono();
  const counted = async function* (): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (clock.mono() - saidMs >= SAY_EVERY_MS) {
        saidMs = clock.mono();
        output.progress(`${formatBytes(bytes)} so far`);
      }
      yield chunk;
    }
  };
  await process.writeFile(path, counted(), 0o600);
  return bytes;
}

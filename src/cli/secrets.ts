/** Reading what the configuration only refers to. Nothing that is read gets into a message. */
import { BinraftError } from "../base/errors.ts";
import { DiskError } from "../platform/disk.ts";
import type { Process } from "../platform/process.ts";

type Reader = Pick<Process, "env" | "readTextFile">;

/** `file:PATH` or `env:NAME`. A newline at a file's end is not part of the secret. */
export async function readSecret(
  process: Reader,
  reference: string,
  option: string,
): Promise<string> {
  if (reference.startsWith("env:")) {
    const value = process.env[reference.slice(4)];
    if (value !== undefined && value !== "") return value;
    throw new BinraftError(
      "BR1006",
      `The environment has no "${reference.slice(4)}": it is to hold ${option}`,
    );
  }
  const path = reference.replace(/^file:/, "");
  const secret = (await readNamedFile(process, path, option)).replace(/\r?\n$/, "");
  if (secret !== "") return secret;
  throw new BinraftError(
    "BR1006",
    `The file "${path}" (${option}) is empty`,
    "write the secret into it",
  );
}

/** A file that an option names; the error says which option. */
export async function readNamedFile(
  process: Reader,
  path: string,
  option: string,
): Promise<string> {
  try {
    return await process.readTextFile(path);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    const why = error.code === "ENOENT" ? "it does not exist" : error.code;
    throw new BinraftError(
      "BR1006",
      `Cannot read "${path}" (${option}): ${why}`,
      "create it, or correct the path",
    );
  }
}

export async function* textChunks(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}

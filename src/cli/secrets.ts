/** Reading what the configuration only refers to. Nothing that is read gets into a message. */
import { BinraftError } from "../base/errors.ts";
import type { SecretPlaces } from "../cluster/secret-places.ts";
import type { NodeConfig } from "../config/node-config.ts";
import { DiskError } from "../platform/disk.ts";
import {
  type FileLimits,
  type Process,
  PUBLIC_FILE,
  SECRET_FILE,
  whyUnread,
} from "../platform/process.ts";

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
  return readSecretFile(process, reference.replace(/^file:/, ""), option, SECRET_FILE);
}

/** A file that its user names to a verb, on the machine where the verb runs: a pipe will do. */
export function readOwnSecret(process: Reader, path: string, option: string): Promise<string> {
  return readSecretFile(process, path, option, { ...SECRET_FILE, isSecret: false });
}

async function readSecretFile(
  process: Reader,
  path: string,
  option: string,
  limits: FileLimits,
): Promise<string> {
  const secret = (await readNamedFile(process, path, option, limits)).replace(/\r?\n$/, "");
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
  limits: FileLimits = PUBLIC_FILE,
): Promise<string> {
  try {
    return await process.readTextFile(path, limits);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw unreadable(path, option, error);
  }
}

function unreadable(path: string, what: string, error: DiskError): BinraftError {
  return new BinraftError(
    "BR1006",
    `Cannot read "${path}" (${what}): ${whyUnread(error)}`,
    error.code === "EMODE" ? `chmod 600 ${path}` : "create it, or correct the path",
  );
}

/** What the source's settings may name on this machine. */
export function secretPlaces({ node, source }: NodeConfig): SecretPlaces {
  const named = [
    source?.passwordRef,
    source?.tlsCa,
    source?.tlsCert,
    source?.tlsKey,
    source?.publicKeyFile,
  ];
  return { folder: node.secretsDir, named: new Set(named.filter((name) => name != null)) };
}

/** A file that the node made itself; null when it is not there. */
export async function readKept(
  process: Reader,
  path: string,
  what: string,
  limits: FileLimits,
): Promise<string | null> {
  try {
    return await process.readTextFile(path, limits);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    if (error.code === "ENOENT") return null;
    throw unreadable(path, what, error);
  }
}

export async function* textChunks(text: string): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode(text);
}

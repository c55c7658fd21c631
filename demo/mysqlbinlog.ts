/** The real mysqlbinlog against a source and against binraft, and comparing what both give. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { findMysql } from "./mysql/install.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** Runs a program to its end; rejects with what it said on standard error. */
export async function runProgram(
  file: string,
  args: readonly string[],
  deadlineMs = 60_000,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(out);
      else reject(new Error(`${path.basename(file)} ended with ${code}: ${err.trim()}`));
    });
  });
}

/** The files as `mysqlbinlog --raw` gets them. */
export async function rawFiles(
  from: Endpoint,
  names: readonly string[],
  extra: readonly string[] = [],
): Promise<Map<string, Uint8Array>> {
  const { mysqlbinlog } = await findMysql();
  const folder = await mkdtemp(path.join(os.tmpdir(), "binraft-raw-"));
  try {
    const files = new Map<string, Uint8Array>();
    for (const name of names) {
      await runProgram(mysqlbinlog, [
        "--no-defaults",
        "--read-from-remote-server",
        "--raw",
        `--host=${from.host}`,
        `--port=${from.port}`,
        `--user=${from.user}`,
        `--password=${from.password}`,
        "--get-server-public-key",
        `--result-file=${folder}/`,
        ...extra,
        name,
      ]);
      files.set(name, new Uint8Array(await readFile(path.join(folder, name))));
    }
    return files;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Null when both hold the same files with the same bytes; else where they part. */
export function differenceOf(
  ours: ReadonlyMap<string, Uint8Array>,
  theirs: ReadonlyMap<string, Uint8Array>,
): string | null {
  const names = [...theirs.keys()].join(", ");
  if ([...ours.keys()].join(", ") !== names)
    return `files ${[...ours.keys()].join(", ")} instead of ${names}`;
  for (const [name, bytes] of theirs) {
    const mine = ours.get(name)!;
    if (Buffer.compare(mine, bytes) === 0) continue;
    let at = 0;
    while (at < mine.length && mine[at] === bytes[at]) at++;
    return `"${name}" differs at byte ${at}: ${mine.length} bytes of ours, ${bytes.length} of the source`;
  }
  return null;
}

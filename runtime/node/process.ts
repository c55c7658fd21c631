/**
 * The process around the node: arguments (those after the script's name), environment, signals,
 * and the few files outside the data directory. Nothing here is read before it is asked for.
 */
import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { DiskError } from "../../src/platform/disk.ts";
import {
  type FileLimits,
  type Process,
  PUBLIC_FILE,
  type TextSink,
} from "../../src/platform/process.ts";
import { diskError } from "./errors.ts";

export function nodeProcess(runtime = `node ${process.versions.node}`): Process {
  return {
    onSignal(signal, fn) {
      process.on(signal, fn);
      return () => process.off(signal, fn);
    },
    exit: (code) => process.exit(code),
    argv: process.argv.slice(2),
    env: process.env,
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    rssBytes: () => process.memoryUsage.rss(),
    cpuMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    readTextFile,
    fileExists: (name) =>
      fs.lstat(name).then(
        () => true,
        () => false,
      ),
    writeFile,
    hostname: () => os.hostname(),
    pid: process.pid,
    runtime,
  };
}

function ignore(): void {}

function sink(stream: NodeJS.WriteStream): TextSink {
  // A reader that went away (`binraft … | head`) is no reason to die with a stack trace.
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
  return {
    write: (text) => void stream.write(text),
    isTerminal: stream.isTTY === true,
  };
}

/** A pipe that nobody writes to must not hold up who opens it. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const FOR_OTHERS = 0o077;

async function readTextFile(name: string, limits: FileLimits = PUBLIC_FILE): Promise<string> {
  const refuse = (code: string): never => {
    throw new DiskError(code, `Cannot read ${name}: ${code}`);
  };
  try {
    const handle = await fs.open(name, limits.isSecret ? READ : "r");
    try {
      const stat = await handle.stat();
      if (limits.isSecret && !stat.isFile()) refuse("ENOTFILE");
      const isOurs = stat.uid === process.getuid?.();
      if (limits.isSecret && isOurs && (stat.mode & FOR_OTHERS) !== 0) refuse("EMODE");
      const bytes = await readUpTo(handle, limits.maxBytes + 1);
      if (bytes.length > limits.maxBytes) refuse("EFBIG");
      return bytes.toString("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw diskError(error, `Cannot read ${name}`);
  }
}

async function readUpTo(handle: fs.FileHandle, most: number): Promise<Buffer> {
  const into = Buffer.alloc(most);
  let length = 0;
  while (length < most) {
    const { bytesRead } = await handle.read(into, length, most - length, null);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return into.subarray(0, length);
}

/** Beside the target first, then renamed over it: a reader sees the old file or the whole new one. */
async function writeFile(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const temporary = `${name}.${process.pid}.tmp`;
  try {
    await fs.rm(temporary, { force: true });
    const handle = await fs.open(temporary, "wx", mode);
    try {
      for await (const chunk of chunks) await handle.writeFile(chunk);
      // The umask may have taken bits away.
      await handle.chmod(mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, name);
    const folder = await fs.open(path.dirname(name), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw diskError(error, `Cannot write ${name}`);
  }
}

/**
 * Ends the process once all it printed is written. Not by itself: Node's cleanup then can spin for
 * ever on a TLS socket that was reset.
 */
export async function exitOnceWritten(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => void stream.write("", () => resolve()));
  }
  process.exit(code);
}

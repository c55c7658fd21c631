/**
 * The simulated process: what it writes is kept for the test, signals come from the test, files
 * outside the data directory are a plain map that survives everything.
 */
import { concatBytes, decodeText } from "../../src/base/bytes.ts";
import { DiskError } from "../../src/platform/disk.ts";
import { type Process, PUBLIC_FILE, type TextSink } from "../../src/platform/process.ts";

const RSS_BYTES = 64 * 1024 * 1024;

/** Thrown by `exit`, which must not return. */
export class SimulatedExit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`The simulated process ended with code ${code}`);
    this.name = "SimulatedExit";
    this.code = code;
  }
}

export interface ProcessState {
  argv: readonly string[];
  env: Record<string, string | undefined>;
  /** All that this process wrote, over its restarts. */
  readonly output: { stdout: string; stderr: string };
  /** Files outside the data directory. */
  readonly files: Map<string, Uint8Array>;
  readonly listeners: Map<string, Set<() => void>>;
}

export function memoryProcess(
  state: ProcessState,
  hostname: string,
  pid: number,
  onExit: (code: number) => void,
): Process {
  return {
    onSignal(signal, fn) {
      const listeners = state.listeners.get(signal) ?? new Set();
      state.listeners.set(signal, listeners);
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    exit(code) {
      onExit(code);
      throw new SimulatedExit(code);
    },
    argv: state.argv,
    env: state.env,
    stdout: sink(state, "stdout"),
    stderr: sink(state, "stderr"),
    rssBytes: () => RSS_BYTES,
    cpuMs: () => 0,
    async readTextFile(path, limits = PUBLIC_FILE) {
      const bytes = state.files.get(path);
      if (bytes !== undefined && bytes.length > limits.maxBytes)
        throw new DiskError("EFBIG", `Cannot read ${path}: EFBIG`);
      if (bytes === undefined) throw new DiskError("ENOENT", `Cannot read ${path}: ENOENT`);
      return decodeText(bytes);
    },
    fileExists: async (path) => state.files.has(path),
    async writeFile(path, chunks) {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      state.files.set(path, concatBytes(parts));
    },
    hostname: () => hostname,
    pid,
    runtime: "memory",
  };
}

function sink(state: ProcessState, name: "stdout" | "stderr"): TextSink {
  return {
    write(text) {
      state.output[name] += text;
    },
    isTerminal: false,
  };
}

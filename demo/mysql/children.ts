/**
 * Child processes that must not outlive us. Every one is tracked, and killed by its own pid when
 * this process ends; where the machine has setpriv, the kernel does it even after a SIGKILL.
 */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";

const SETPRIV = "/usr/bin/setpriv";
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const children = new Set<ChildProcess>();
let watching = false;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function spawnTracked(command: Command, options: SpawnOptions): ChildProcess {
  watch();
  // The kernel ties it to the thread that spawns, which lives as long as we do only on Node.
  const node = !("Bun" in globalThis) && !("Deno" in globalThis);
  const bound = node && existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", "--"] : [];
  const [file, ...args] = [...bound, command.file, ...command.args];
  // In a group of its own: Ctrl-C is for us, and we decide what it means for them.
  const env = { ...process.env, ...command.env };
  const child = spawn(file!, args, { ...options, env, detached: true });
  children.add(child);
  const forget = (): void => void children.delete(child);
  child.once("exit", forget);
  child.once("error", forget);
  return child;
}

/**
 * To a child that still runs. Not by its own `kill`: on Deno that notes the signal as what the process
 * ended by, at once and for good, though it may take its time and end with a code.
 */
export function sendSignal(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Resolves when the process is gone; true if that was within the deadline. */
export function gone(child: ChildProcess, deadlineMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      child.off("exit", onExit);
      resolve(false);
    }, deadlineMs);
    const onExit = (): void => {
      clearTimeout(timer);
      resolve(true);
    };
    child.once("exit", onExit);
  });
}

function watch(): void {
  if (watching) return;
  watching = true;
  process.on("exit", () => {
    for (const child of children) sendSignal(child, "SIGKILL");
  });
  for (const [signal, number] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      // Somebody else who listens decides when we end; alone, we end as by default.
      if (process.listenerCount(signal) === 1) process.exit(128 + number);
    });
  }
}

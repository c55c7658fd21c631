/** What the operating system says about a process, and running the drain client beside it. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";

const TICKS_PER_SECOND = 100;

/** User plus system CPU so far, milliseconds. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

export function rssMiB(pid: number): number {
  return statusKiB(pid, "VmRSS") / 1024;
}

/** The highest since the start. */
export function peakRssMiB(pid: number): number {
  return statusKiB(pid, "VmHWM") / 1024;
}

function statusKiB(pid: number, field: string): number {
  const line = readFileSync(`/proc/${pid}/status`, "utf8")
    .split("\n")
    .find((l) => l.startsWith(`${field}:`));
  return Number(/\d+/.exec(line ?? "")?.[0] ?? 0);
}

/**
 * Bytes that the device of a folder has taken so far, once all that is cached was written. Not
 * /proc/PID/io: that counts whole pages of the cache, and a large page that two batches share twice.
 * Null where the folder is on no device that the kernel counts.
 */
export function deviceBytes(folder: string): number | null {
  execFileSync("sync");
  const { dev } = statSync(folder);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  for (const line of readFileSync("/proc/diskstats", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === major && Number(fields[1]) === minor) return Number(fields[9]) * 512;
  }
  return null;
}

export interface DrainRequest {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly clients: number;
  readonly bytes: number;
  readonly gtids: string;
  readonly ca?: string;
}

export interface DrainResult {
  readonly bytes: number;
  readonly seconds: number;
  readonly firstByteMs: number;
  readonly cpuMs: number;
}

export function runDrain(request: DrainRequest): Promise<DrainResult> {
  return new Promise((resolve, reject) => {
    const script = path.join(import.meta.dirname, "drain.ts");
    const child = spawn(process.execPath, [script, JSON.stringify(request)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(JSON.parse(out) as DrainResult);
      else reject(new Error(`The drain client ended with ${code}`));
    });
  });
}

export interface Served {
  readonly mbPerSecond: number;
  /** Of the serving process. */
  readonly cpuSecondsPerGb: number;
  readonly clientCpuSecondsPerGb: number;
  readonly firstByteMs: number;
}

/** Drains from a server and takes its CPU; the median of `times` runs by throughput. */
export async function serve(pid: number, request: DrainRequest, times: number): Promise<Served> {
  const runs: Served[] = [];
  for (let i = 0; i < times; i++) {
    const before = cpuMs(pid);
    const result = await runDrain(request);
    const gb = result.bytes / 1e9;
    runs.push({
      mbPerSecond: result.bytes / 1e6 / result.seconds,
      cpuSecondsPerGb: (cpuMs(pid) - before) / 1000 / gb,
      clientCpuSecondsPerGb: result.cpuMs / 1000 / gb,
      firstByteMs: result.firstByteMs,
    });
  }
  runs.sort((a, b) => a.mbPerSecond - b.mbPerSecond);
  return runs[Math.floor(runs.length / 2)]!;
}

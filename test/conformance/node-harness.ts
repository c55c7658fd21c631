/** The harness over real files and sockets, for every runtime that uses the node: modules. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import type { Platform } from "../../src/platform/platform.ts";
import { createAuthority } from "../support/authority.ts";
import { tempDir } from "../support/temp-dir.ts";
import type { Gaps, Harness } from "./harness.ts";

export async function realHarness(platform: Platform): Promise<Harness> {
  const temp = await tempDir("conformance");
  const mounts: string[] = [];
  const holders: ChildProcess[] = [];
  const newRoot = async (): Promise<string> => path.join(temp.path, randomUUID());
  return {
    platform,
    newRoot,
    run: (task) => task(),
    async smallDisk(bytes) {
      const root = await newRoot();
      await fs.mkdir(root);
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "tmpfs", root]);
      mounts.push(root);
      return platform.disk(root);
    },
    async lockElsewhere(root) {
      const script = path.join(import.meta.dirname, "lock-holder.ts");
      const child = spawn(process.execPath, [script, root], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      holders.push(child);
      await new Promise<void>((resolve, reject) => {
        child.once("exit", () => reject(new Error("The other process did not get the lock")));
        child.stdout.once("data", () => resolve());
      });
      return {
        async kill() {
          const gone = new Promise((resolve) => child.once("exit", resolve));
          child.kill("SIGKILL");
          await gone;
        },
      };
    },
    authority: createAuthority,
    fetch: (port, name, init) => fetch(`http://127.0.0.1:${port}${name}`, init),
    async close() {
      for (const child of holders) child.kill("SIGKILL");
      for (const root of mounts) execFileSync("umount", [root]);
      await temp.remove();
    },
  };
}

/** Finds out whether this machine lets us mount a small file system. */
export async function mountGap(): Promise<Gaps> {
  const temp = await tempDir("mount");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", temp.path], {
      stdio: "ignore",
    });
    execFileSync("umount", [temp.path]);
    return {};
  } catch {
    return { smallDisk: { missing: true, reason: "no right to mount a tmpfs on this machine" } };
  } finally {
    await temp.remove();
  }
}

/** Finds out whether this machine has IPv6 on its loopback. */
export function ipv6Gap(): Promise<Gaps> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once("error", () =>
      resolve({ ipv6: { missing: true, reason: "no IPv6 on this machine" } }),
    );
    server.listen(0, "::1", () => server.close(() => resolve({})));
  });
}

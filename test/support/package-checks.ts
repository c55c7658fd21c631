/** What an installed package must do on a runtime: say its version, start, be ready, answer a replica, and stop. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { sendSignal } from "../../demo/mysql/children.ts";
import { findMysql } from "../../demo/mysql/install.ts";
import { freePort } from "../../demo/mysql/server.ts";
import type { Runtime } from "../../demo/runtimes.ts";
import { VERSION } from "../../src/base/version.ts";
import { connect } from "../../src/mysql/client.ts";
import { commandFor, type InstalledPackage, ownEnvironment } from "./installed-package.ts";
import { thisPlatform } from "./this-platform.ts";
import { waitFor } from "./wait-for.ts";

const ACCOUNT = { user: "repl", password: "replica-password" } as const;

interface Launched {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  said(): string;
}

function launch(
  runtime: Runtime,
  installed: InstalledPackage,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Launched {
  const { file, args: first } = commandFor(runtime, installed);
  const child = spawn(file, [...first, ...args], {
    cwd: installed.folder,
    env: { ...ownEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, ended, said: () => said };
}

/** All of npx, which passes no signal on; of bunx itself, which does: a second one would end it at once. */
function stop(runtime: Runtime, node: Launched): void {
  if (runtime === "node") signalAll(node, "SIGTERM");
  else sendSignal(node.child, "SIGTERM");
}

function signalAll({ child }: Launched, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {
    // All of them are gone.
  }
}

export async function checkVersion(runtime: Runtime, installed: InstalledPackage): Promise<void> {
  const ran = launch(runtime, installed, ["version"]);
  await ran.ended;
  assert.match(
    ran.said(),
    new RegExp(`^binraft ${VERSION.replaceAll(".", "\\.")} on ${runtime} \\d`),
  );
}

export async function checkStart(runtime: Runtime, installed: InstalledPackage): Promise<void> {
  const [mysql, admin] = [await freePort(), await freePort()];
  const folder = path.join(installed.folder, runtime);
  await mkdir(folder);
  await writeFile(path.join(folder, "password"), ACCOUNT.password, { mode: 0o600 });
  const config = path.join(folder, "binraft.toml");
  await writeFile(
    config,
    `[node]
data_dir = ${JSON.stringify(path.join(folder, "data"))}
[listen]
mysql = "127.0.0.1:${mysql}"
admin = "127.0.0.1:${admin}"
[accounts]
${ACCOUNT.user} = { password_file = ${JSON.stringify(path.join(folder, "password"))} }
`,
  );
  const node = launch(runtime, installed, ["start", "--config", config]);
  try {
    await waitFor(async () => (await fetch(`http://127.0.0.1:${admin}/readyz`)).ok, {
      deadlineMs: 30_000,
      what: `${runtime} to be ready; it said ${node.said()}`,
    });
    // It made the certificate for itself.
    const ca = await readFile(path.join(folder, "data/tls/server.crt"), "utf8");
    const replica = await connect(
      { host: "127.0.0.1", port: mysql, ...ACCOUNT, tls: { mode: "verify-ca", ca } },
      await thisPlatform(),
    );
    await replica.execute("SELECT @@GLOBAL.server_uuid");
    replica.close();
    stop(runtime, node);
    await waitFor(() => node.said().includes("binraft has stopped"), {
      deadlineMs: 30_000,
      what: `${runtime} to stop`,
    });
    await node.ended;
  } finally {
    signalAll(node, "SIGKILL");
    await node.ended;
  }
}

/** The whole demo, its nodes on the same runtime. */
export async function checkDemo(
  runtime: Runtime,
  installed: InstalledPackage,
  seconds: number,
): Promise<void> {
  const { mysqld } = await findMysql();
  const args = ["demo", "--seconds", String(seconds), "--json", "--runtime", runtime];
  const { file, args: first } = commandFor(runtime, installed);
  // The demo starts programs and writes where it is told to, which a node does not.
  const all = runtime === "deno" ? ["run", "-A", "--no-remote", "npm:binraft"] : first;
  const child = spawn(file, [...all, ...args], {
    cwd: installed.folder,
    env: { ...ownEnvironment(), BINRAFT_MYSQLD: mysqld },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 15 * 60_000,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 0, `the demo on ${runtime} ended with ${code}: ${said.slice(-4_000)}`);
  assert.match(said, /"ok":true/);
}

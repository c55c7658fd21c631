/** Signals, exits and kept-alive connections of this runtime, as others see them. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { sendSignal } from "../../../demo/mysql/children.ts";
import { OWN_RUNTIME } from "../../../demo/runtimes.ts";
import { thisPlatform } from "../../support/this-platform.ts";
import { waitFor } from "../../support/wait-for.ts";
import { startScript } from "../pairs/processes.ts";
import { connectedPair } from "../streams.ts";

interface Watched {
  readonly child: ChildProcess;
  /** Resolves once just this was printed. */
  says(text: string): Promise<unknown>;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

function start(args: readonly string[] = []): Watched {
  const child = startScript(OWN_RUNTIME, "system/process.ts", args);
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
  }
  const what = (text: string): string => `the process to say ${JSON.stringify(text)}`;
  return {
    child,
    says: (text) => waitFor(() => said === text, { deadlineMs: 20_000, what: what(text) }),
    ended: new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code!))),
  };
}

const options = { timeout: 15 * 60_000 };

test(`${OWN_RUNTIME}: signals come to those who listen, and end the others`, options, async () => {
  const one = start();
  try {
    let said = "ready\n";
    await one.says(said);
    for (const signal of ["SIGHUP", "SIGINT", "SIGHUP", "SIGTERM"] as const) {
      sendSignal(one.child, signal);
      said += `${signal}\n`;
      await one.says(said);
    }
    assert.equal(await one.ended, 7);
  } finally {
    sendSignal(one.child, "SIGKILL");
  }
  const other = start();
  try {
    await other.says("ready\n");
    sendSignal(other.child, "SIGINT");
    await other.says("ready\nSIGINT\n");
    // Nobody listens any more.
    sendSignal(other.child, "SIGINT");
    assert.equal(await other.ended, "SIGINT");
  } finally {
    sendSignal(other.child, "SIGKILL");
  }
});

test(`${OWN_RUNTIME}: what fails unheard ends the process with 1`, options, async () => {
  const one = start(["reject"]);
  try {
    assert.equal(await one.ended, 1);
  } finally {
    sendSignal(one.child, "SIGKILL");
  }
});

const TCP_TABLE = "/proc/net/tcp";
const noTable = existsSync(TCP_TABLE) ? false : `there is no ${TCP_TABLE}`;
const why = noTable === false ? "" : ` (${noTable})`;

test(`${OWN_RUNTIME}: both ends of a connection ask whether the other is still there${why}`, {
  ...options,
  skip: noTable,
}, async () => {
  const pair = await connectedPair(await thisPlatform());
  try {
    const port = pair.listener.address.port.toString(16).toUpperCase().padStart(4, "0");
    const lines = (await readFile(TCP_TABLE, "utf8")).split("\n").slice(1);
    const fields = lines.map((line) => line.trim().split(/\s+/));
    // Columns: local and remote address, state (01 is established), queues, timer:when. Timer 02 is
    // the one of keepalive on a connection that is at rest.
    const ends = fields.filter(
      ([, local, remote, state]) =>
        state === "01" && [local, remote].some((address) => address?.endsWith(`:${port}`)),
    );
    assert.deepEqual(
      ends.map((end) => end[5]!.split(":")[0]),
      ["02", "02"],
    );
  } finally {
    await pair.close();
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Machine, World } from "../../../runtime/memory/world.ts";
import { encodeText } from "../../../src/base/bytes.ts";
import { runCli } from "../../../src/cli/cli.ts";

const DATA = "/data";

/** `binraft start` on a simulated machine. */
class Started {
  readonly world: World = new World(3);
  readonly machine: Machine = this.world.machine("a");
  exit: number | null = null;

  constructor(toml = "") {
    this.machine.process.files.set(
      "binraft.toml",
      encodeText(`[node]\ndata_dir = "${DATA}"\n[storage]\nsegment_bytes = "64KiB"\n${toml}`),
    );
  }

  start(): void {
    this.exit = null;
    this.machine.process.argv = ["start"];
    const running = runCli({
      platform: this.machine.start(),
      fetch: () => Promise.reject(new Error("no network")),
      demo: () => Promise.reject(new Error("no demo")),
    });
    void running.then((code) => {
      this.exit = code;
    });
  }

  get said(): string {
    return this.machine.process.output.stderr;
  }

  until(condition: () => boolean): Promise<unknown> {
    return this.world.time.runUntil(condition, 120_000);
  }
}

test("start is ready, and ends with 0 at SIGTERM, within 25 s", async () => {
  const node = new Started();
  node.start();
  await node.until(() => node.said.includes("binraft is ready"));
  assert.match(node.said, /"adminToken":"file:\/data\/admin-token"/);
  const began = node.world.time.now;
  node.machine.signal("SIGTERM");
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 0, node.said);
  assert.ok(node.world.time.now - began < 25_000);
});

test("start ends with 1 and a sentence when the log fails under it", async () => {
  const node = new Started();
  node.start();
  await node.until(() => node.said.includes("binraft is ready"));
  node.machine.disk(DATA).faults.syncError = "EIO";
  // The next segment is being prepared: that is synced too.
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 1);
  assert.match(node.said, /log can no longer be written.*BR1204/s);
  assert.ok(!node.said.includes("    at "));
});

test("start ends with 1 on a full disk, and says what to do", async () => {
  const node = new Started();
  node.machine.disk(DATA).faults.capacityBytes = 10_000;
  node.start();
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 1);
  assert.match(node.said, /disk is full.*BR1203\)\n {2}next: free space/is);
});

test("start ends with 1 when a secret cannot be read", async () => {
  const node = new Started('[accounts]\nrepl = { password_file = "/nowhere" }');
  node.start();
  await node.until(() => node.exit !== null);
  assert.equal(node.exit, 1);
  assert.match(
    node.said,
    /Cannot read "\/nowhere" \(accounts\.repl\.password_file\): it does not exist \(BR1006\)/,
  );
});

/** What Ctrl-C means to the demo and its servers: it ends the load, and nobody else hears of it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";

const CHILDREN = path.join(import.meta.dirname, "../../demo/mysql/children.ts");
const SCRIPT = `
import { spawnTracked } from ${JSON.stringify(CHILDREN)};
const child = spawnTracked({ file: "sleep", args: ["100"] }, { stdio: "ignore" });
const alive = setInterval(() => {}, 1000);
child.on("exit", (_code, signal) => {
  console.log("the child is gone by " + signal);
  clearInterval(alive);
});
process.on("SIGINT", () => {
  console.log("asked to end");
  setTimeout(() => child.kill("SIGTERM"), 100);
});
child.once("spawn", () => console.log("ready"));
`;

test("a signal to the terminal's group is for the demo alone, and does not end it by itself", async () => {
  const args = ["--input-type=module", "--eval", SCRIPT];
  // A leader of its own group, as a job of a terminal is.
  const demo = spawn(process.execPath, args, {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  demo.stdout.on("data", (bytes) => {
    said += bytes;
    if (/^ready/m.test(said) && !/asked/.test(said)) process.kill(-demo.pid!, "SIGINT");
  });
  const [code] = await once(demo, "exit");
  assert.equal(said, "ready\nasked to end\nthe child is gone by SIGTERM\n");
  assert.equal(code, 0);
});

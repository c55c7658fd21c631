#!/usr/bin/env -S node --max-semi-space-size=1
/**
 * `binraft` on Node. Knows everything: the platform, the command line, the demo.
 *
 * Why the small young generation: socket reads are small objects around memory outside of the heap.
 * In a large one they pile up unseen by the collector; with this the node holds a fifth less.
 */
import { runCli } from "../../src/cli/cli.ts";
import { nodePlatform } from "./platform.ts";

/** What is still open after a verb has ended holds the process for no longer than this. */
const LINGER_MS = 1000;

process.exitCode = await runCli({
  platform: nodePlatform(),
  fetch: (url, init) => fetch(url, init),
  demo: () => import("../../demo/main.ts"),
});
setTimeout(() => process.exit(), LINGER_MS).unref();

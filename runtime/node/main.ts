#!/usr/bin/env node
/** `binraft` on Node. Knows everything: the platform, the command line, the demo. */
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

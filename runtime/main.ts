#!/usr/bin/env -S node --max-semi-space-size=1
/**
 * `binraft` on whatever runs this: the command of the package, and of a checkout's scripts.
 *
 * Why the small young generation on Node: socket reads are small objects around memory outside of the
 * heap. In a large one they pile up unseen by the collector; with this the node holds a fifth less.
 */
import { fileURLToPath } from "node:url";

const OLDEST_NODE = 24;
const { bun, deno } = process.versions as { readonly bun?: string; readonly deno?: string };
if (bun !== undefined) await import("./bun/main.ts");
else if (deno !== undefined) await import("./deno/main.ts");
else if (Number(process.versions.node.split(".")[0]) >= OLDEST_NODE) await import("./node/main.ts");
else {
  const { runOnNewerNode } = await import("./node/older.ts");
  process.exitCode = await runOnNewerNode(fileURLToPath(import.meta.url));
}

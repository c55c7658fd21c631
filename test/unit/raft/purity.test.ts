/**
 * The core is a pure state machine: it and all that it imports name nothing that gives time, chance,
 * I/O or a platform. Stricter than the rules for all of src (test/tidy/rules.ts).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { bareCode, files, importsOf, ROOT, type SourceFile, target } from "../../tidy/sources.ts";

/** As whole words: a type of them is as much a platform as a value. */
const AMBIENT: readonly RegExp[] = [
  /\b(?:Date|Intl|performance|Temporal)\b/,
  /\bMath\s*\.\s*random\b|\bcrypto\b/,
  /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame)\b/,
  /\b(?:async|await|Promise|AbortSignal|AbortController)\b/,
  /\b(?:process|Deno|Bun|globalThis|window|require|navigator|console)\b/,
  /\b(?:Buffer|NodeJS|fetch|Request|Response|Headers|URL|WebSocket|Worker|Blob|File)\b/,
  /\b(?:\w+Stream|EventTarget|EventEmitter|MessagePort|SharedArrayBuffer|Atomics)\b/,
  /\b(?:WeakRef|FinalizationRegistry)\b/,
  /\b(?:localeCompare|toLocale\w+)\b/,
  /\bself\s*\.|\bimport\s*\(|\bimport\.meta\b/,
];

/** What is wrong with one file of the core or of what it is built on. */
function impurities(file: SourceFile): string[] {
  const code = bareCode(file.text);
  const found = AMBIENT.flatMap((pattern) => pattern.exec(code)?.[0] ?? []);
  for (const { specifier } of importsOf(file)) {
    const to = target(file, specifier);
    if (to === null || !/^src\/(?:raft|base)\//.test(to)) found.push(`import of ${specifier}`);
  }
  return found.map((what) => `${file.path}: ${what}`);
}

/** The core's files, and what they import, and what that imports. */
function closure(): SourceFile[] {
  const known = new Map(files("src/raft/*.ts").map((file) => [file.path, file]));
  for (const file of known.values()) {
    for (const { specifier } of importsOf(file)) {
      const to = target(file, specifier);
      if (to === null || known.has(to)) continue;
      known.set(to, { path: to, text: readFileSync(path.join(ROOT, to), "utf8") });
    }
  }
  return [...known.values()];
}

test("the core and what it is built on know no time, chance, I/O or platform", () => {
  const all = closure();
  assert.ok(all.length > 20 && all.some(({ path: name }) => name.startsWith("src/base/")));
  assert.deepEqual(all.flatMap(impurities), []);
});

test("what must not be there is seen", () => {
  const bad = [
    "const now = Date.now();",
    "const at: Date | null = null;",
    "const chance = Math.random();",
    "setTimeout(() => {}, 1);",
    "const id = crypto.randomUUID();",
    "const b: Buffer = null!;",
    "async function f() {}",
    "function f(): Promise<void> {}",
    "const from: ReadableStream = null!;",
    'const fs = await import("node:fs");',
    'import { readFileSync } from "node:fs";',
    'import type { Clock } from "../platform/clock.ts";',
    'import { GtidSet } from "../gtid/gtid-set.ts";',
    'import { z } from "zod";',
    "ids.sort((a, b) => a.localeCompare(b));",
    "process.exit(1);",
  ];
  for (const text of bad) {
    assert.notDeepEqual(impurities({ path: "src/raft/bad.ts", text }), [], text);
  }
  const good = '// no Date here\nimport { assert } from "../base/assert.ts";\nconst a = "Date";\n';
  assert.deepEqual(impurities({ path: "src/raft/good.ts", text: good }), []);
});

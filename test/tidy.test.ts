/**
 * The rules of the house that a machine can check. What may import what, and every known
 * exception, stands in tidy/rules.ts.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { referencePages } from "../docs/generate.ts";
import { CATALOGUE } from "../src/base/errors.ts";
import { VERSION } from "../src/base/version.ts";
import {
  BANNED,
  HARD_MAX_LINES,
  IMPURE_FILES,
  LAYERS,
  LIBRARIES,
  LONG_FILES,
  MAX_COLUMNS,
  MAX_LINES,
  PRIVATE_WORDS,
  PURE,
  TREES,
  UNLOCKED_PACKAGES,
  UNMIRRORED_TESTS,
  WIDE_FILES,
} from "./tidy/rules.ts";
import { bareCode, code, files, importsOf, ROOT, target } from "./tidy/sources.ts";

const CODE = code();
const CORE = CODE.filter((file) => file.path.startsWith("src/") || file.path.startsWith("geo/"));

function none(what: string, found: readonly string[]): void {
  assert.deepEqual(found, [], `${what}:\n  ${found.join("\n  ")}`);
}

/**
 * `found` are the files that break a rule. Those that are allowed to must still come near to it
 * (`near`), or the exception is to go.
 */
function onlyAllowed(
  what: string,
  found: readonly string[],
  allowed: ReadonlySet<string>,
  near: readonly string[] = found,
): void {
  none(
    what,
    found.filter((file) => !allowed.has(file)),
  );
  const stale = [...allowed].filter((file) => !near.includes(file));
  none(`${what}: exceptions that are no longer needed`, stale);
}

function layerOf(file: string): string {
  return file.split("/")[1]!;
}

test("import directions: between the trees", () => {
  const found: string[] = [];
  for (const file of CODE) {
    const tree = file.path.split("/")[0]!;
    const allowed = TREES[tree];
    if (allowed === undefined) continue;
    for (const { specifier } of importsOf(file)) {
      const to = target(file, specifier);
      const other = to?.split("/")[0];
      if (other === undefined || other === tree || allowed.includes(other)) continue;
      found.push(`${file.path} imports ${to}`);
    }
  }
  none("Imports against the direction", found);
});

test("import directions: inside src", () => {
  const found: string[] = [];
  for (const file of CORE) {
    if (!file.path.startsWith("src/")) continue;
    const layer = layerOf(file.path);
    const allowed = LAYERS[layer];
    assert.ok(allowed, `src/${layer} has a place in tidy/rules.ts`);
    for (const { specifier } of importsOf(file)) {
      const to = target(file, specifier);
      if (to === null || layerOf(to) === layer || allowed.includes(layerOf(to))) continue;
      found.push(`${file.path} imports ${to}`);
    }
  }
  none("Imports against the direction", found);
});

test("import directions: relative imports name an existing .ts file, and no barrel", () => {
  const found: string[] = [];
  for (const file of CODE) {
    for (const { specifier } of importsOf(file)) {
      const to = target(file, specifier);
      if (to === null) continue;
      if (!/\.(ts|mjs)$/.test(to) || !existsSync(path.join(ROOT, to)))
        found.push(`${file.path}: ${specifier}`);
      if (/\/index\.ts$/.test(to)) found.push(`${file.path} imports a barrel: ${specifier}`);
    }
  }
  none("Broken imports", found);
});

test("pure folders take no values of the platform", () => {
  const found: string[] = [];
  for (const file of CORE) {
    if (!PURE.includes(layerOf(file.path)) || IMPURE_FILES.has(file.path)) continue;
    for (const { specifier, typeOnly } of importsOf(file)) {
      if (target(file, specifier)?.startsWith("src/platform/") && !typeOnly) {
        found.push(`${file.path} imports values of ${specifier}`);
      }
    }
  }
  none("Impure imports", found);
});

test("libraries stay in their folders, node: modules out of the core", () => {
  const found: string[] = [];
  for (const file of CORE) {
    for (const { specifier } of importsOf(file)) {
      if (specifier.startsWith(".")) continue;
      const name = specifier
        .split("/")
        .slice(0, specifier.startsWith("@") ? 2 : 1)
        .join("/");
      const homes = [LIBRARIES[name] ?? []].flat();
      if (!homes.some((home) => file.path.startsWith(home)))
        found.push(`${file.path} imports ${specifier}`);
    }
  }
  none("Libraries where they do not belong", found);
});

test("the core touches time, chance and the process only through the platform", () => {
  const found: string[] = [];
  for (const file of CORE) {
    const text = bareCode(file.text);
    for (const [what, pattern] of BANNED) {
      const match = pattern.exec(text);
      if (match !== null) found.push(`${file.path}: ${what}: ${match[0]}`);
    }
    const usesProcess = /(?<![.\w])process\.\w/.test(text);
    if (usesProcess && !/[{,(]\s*process\b|\bprocess[,:}]/.test(text))
      found.push(`${file.path}: process`);
  }
  none("Ambient things in the core", found);
});

test("files are short and narrow", () => {
  const long: string[] = [];
  const nearlyLong: string[] = [];
  const wide: string[] = [];
  for (const { path: name, text } of CODE) {
    const lines = text.split("\n");
    assert.ok(
      lines.length <= HARD_MAX_LINES,
      `${name} has ${lines.length} lines, ${HARD_MAX_LINES} at most`,
    );
    if (lines.length - 1 > MAX_LINES) long.push(name);
    if (lines.length - 1 > 0.8 * MAX_LINES) nearlyLong.push(name);
    if (lines.some((line) => line.length > MAX_COLUMNS)) wide.push(name);
  }
  onlyAllowed(`Files longer than ${MAX_LINES} lines`, long, LONG_FILES, nearlyLong);
  onlyAllowed(`Files with lines longer than ${MAX_COLUMNS}`, wide, WIDE_FILES);
});

test("names are in kebab-case, every file opens with what it is for", () => {
  const found: string[] = [];
  for (const { path: name, text } of CODE) {
    const base = path.posix.basename(name);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*((\.[a-z]+)*)\.(ts|mjs)$/.test(base)) found.push(name);
    if (/^(utils|helpers|misc|common)\.ts$/.test(base)) found.push(`${name} is a drawer`);
    const inCore = name.startsWith("src/") || name.startsWith("geo/");
    if (inCore && !/^(#!.*\n)?(\/\*\*|\/\/|import type [^\n]*;\n\n\/\*\*)/.test(text))
      found.push(`${name} has no header`);
    if (inCore && /^export default\b/m.test(text)) found.push(`${name} has a default export`);
  }
  none("Names and headers", found);
});

test("unit tests mirror the tree", () => {
  const found = files("test/unit/**/*.test.ts")
    .map((file) => file.path)
    .filter((name) => !mirrors(name));
  onlyAllowed("Tests without a source file of that name", found, UNMIRRORED_TESTS);
});

function mirrors(name: string): boolean {
  const inner = name.slice("test/unit/".length).replace(/\.test\.ts$/, ".ts");
  // A state machine's behaviours run through its files: they are tested by their own names.
  if (name.startsWith("test/unit/raft/")) return true;
  return ["src", ".", "test"].some((tree) => existsSync(path.join(ROOT, tree, inner)));
}

test("generated pages are current: npm run docs", () => {
  const stale = [...referencePages()]
    .filter(
      ([name, content]) =>
        !existsSync(path.join(ROOT, name)) ||
        readFileSync(path.join(ROOT, name), "utf8") !== content,
    )
    .map(([name]) => name);
  none("Stale pages", stale);
});

test("documentation names paths that exist", () => {
  const found: string[] = [];
  for (const file of files("*.md", "docs/**/*.md")) {
    for (const match of file.text.matchAll(
      /`((?:src|runtime|demo|geo|test|docs)\/[A-Za-z0-9_./-]*)`/g,
    )) {
      if (!existsSync(path.join(ROOT, match[1]!))) found.push(`${file.path}: ${match[1]}`);
    }
    for (const match of file.text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
      const to = path.join(ROOT, path.dirname(file.path), match[1]!);
      if (!existsSync(to)) found.push(`${file.path}: link to ${match[1]}`);
    }
  }
  none("Paths that do not exist", found);
});

test("error codes are unique, and the code uses only those of the catalogue", () => {
  const codes = CATALOGUE.map((entry) => entry.code);
  assert.equal(new Set(codes).size, codes.length);
  const used = CODE.filter((file) => file.path.startsWith("src/")).flatMap((file) =>
    [...file.text.matchAll(/"(BR[0-9]{4})"/g)].map((match) => match[1]!),
  );
  none(
    "Unknown codes",
    used.filter((one) => !codes.some((known) => known === one)),
  );
});

test("nothing tells where it was written", () => {
  const found: string[] = [];
  const others = files(
    ...["*.md", "*.json", "*.toml", "*.yaml", "docs/**/*.md", ".ci/*", ".gitignore"],
    ...["Dockerfile", ".dockerignore", "runtime/*.sh"],
  );
  for (const file of [...CODE, ...others]) {
    if (file.path.startsWith("test/tidy/")) continue;
    for (const [index, line] of file.text.split("\n").entries()) {
      for (const pattern of PRIVATE_WORDS) {
        const match = pattern.exec(line);
        if (match !== null) found.push(`${file.path}:${index + 1}: ${match[0]}`);
      }
    }
  }
  none("Machine paths and registry hosts", found);
});

interface Manifest {
  readonly version: string;
  readonly bin: Record<string, string>;
  readonly exports: Record<string, string>;
  readonly scripts: Record<string, string>;
  readonly dependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}

interface Lock {
  readonly version: string;
  readonly packages: Record<
    string,
    Partial<Manifest> & {
      readonly resolved?: string;
      readonly integrity?: string;
      readonly optional?: boolean;
    }
  >;
}

function json<T>(name: string): T {
  return JSON.parse(readFileSync(path.join(ROOT, name), "utf8")) as T;
}

test("package.json, the lockfile and the version agree", () => {
  const manifest = json<Manifest>("package.json");
  const lock = json<Lock>("package-lock.json");
  assert.equal(manifest.version, VERSION);
  assert.equal(lock.version, VERSION);
  for (const kind of ["dependencies", "optionalDependencies", "devDependencies"] as const) {
    assert.deepEqual(lock.packages[""]?.[kind], manifest[kind], `${kind} of the lockfile`);
    for (const [name, version] of Object.entries(manifest[kind])) {
      assert.match(version, /^[0-9]+\.[0-9]+\.[0-9]+$/, `${name} is pinned`);
    }
  }
  for (const [name, entry] of Object.entries(lock.packages)) {
    if (name === "") continue;
    const foreign = entry.optional === true && name.includes("/@biomejs/cli-");
    assert.ok(entry.integrity || foreign, `${name} has an integrity in the lockfile`);
    assert.equal(entry.resolved, undefined, `${name} names no host in the lockfile`);
  }
});

test("the lockfile is complete: npm ci refuses one that is not", () => {
  const { packages } = json<Lock>("package-lock.json");
  const missing: string[] = [];
  for (const [from, { dependencies, optionalDependencies }] of Object.entries(packages)) {
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      // Nested below the package, else hoisted to some level above it.
      let at = from;
      while (at !== "" && packages[`${at}/node_modules/${name}`] === undefined) {
        at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")));
      }
      const found = packages[`${at === "" ? "" : `${at}/`}node_modules/${name}`];
      if (found === undefined && !UNLOCKED_PACKAGES.has(name)) missing.push(`${from}: ${name}`);
    }
  }
  none("Packages that the lockfile lacks", missing);
});

test("package.json names files that exist", () => {
  const manifest = json<Manifest>("package.json");
  const built = [...Object.values(manifest.bin), ...Object.values(manifest.exports)];
  const sources = built.map((name) => name.replace(/^(\.\/)?dist\//, "").replace(/\.js$/, ".ts"));
  const scripts = Object.values(manifest.scripts).flatMap(
    (script) => script.match(/\S+\.(ts|mjs)\b/g) ?? [],
  );
  const missing = [...sources, ...scripts].filter((name) => !existsSync(path.join(ROOT, name)));
  none("Missing files", missing);
});

test("the walk found the tree", () => {
  assert.ok(CODE.some((file) => file.path === "src/raft/raw-node.ts"));
  assert.ok(CODE.length > 100);
});

/** The security table of the documentation, and what a node installs. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { PRODUCTION_PACKAGES, SECURITY_ROWS } from "./rules.ts";
import { code, ROOT } from "./sources.ts";

function none(what: string, found: readonly string[]): void {
  assert.deepEqual(found, [], `${what}:\n  ${found.join("\n  ")}`);
}

test("each row of the security table names tests that exist, or a reason", () => {
  const page = readFileSync(path.join(ROOT, "docs/08-testing.md"), "utf8");
  const rows = [...page.matchAll(/^\| ([a-f][0-9]+) \| [^|]+ \| (.+) \|$/gm)];
  const wanted = Object.entries(SECURITY_ROWS).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, i) => `${letter}${i + 1}`),
  );
  assert.deepEqual(
    rows.map((row) => row[1]),
    wanted,
  );
  const found: string[] = [];
  for (const [, row, shown] of rows) {
    const tests = [...shown!.matchAll(/`(test\/[^`]+)` "([^"]+)"/g)];
    if (tests.length === 0 && !/ reason: /.test(` ${shown}`)) found.push(`${row}: nothing`);
    for (const [, file, name] of tests) {
      const text = existsSync(path.join(ROOT, file!))
        ? readFileSync(path.join(ROOT, file!), "utf8")
        : "";
      if (!text.includes(name!)) found.push(`${row}: ${file} has no "${name}"`);
    }
  }
  none("Rows without a test", found);
});

test("what is installed in production is the list, and the HTTP parser is strict", () => {
  const { packages } = JSON.parse(readFileSync(path.join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const installed = Object.entries(packages)
    .filter(([name, { dev, devOptional }]) => name !== "" && !dev && !devOptional)
    .map(([name]) => name.replace(/^.*node_modules\//, ""));
  const foreign = installed.filter((name) => !PRODUCTION_PACKAGES.has(name));
  none("Packages that nobody has looked at", [...new Set(foreign)]);
  const stale = [...PRODUCTION_PACKAGES].filter((name) => !installed.includes(name));
  none("Packages that are gone", stale);
  const careless = code().filter(
    ({ path: name, text }) =>
      name !== "test/tidy/security.test.ts" && text.includes("insecureHTTPParser"),
  );
  none(
    "Lenient HTTP",
    careless.map((file) => file.path),
  );
});

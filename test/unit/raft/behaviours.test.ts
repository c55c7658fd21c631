/** docs/raft-behaviours.md names tests: each of them exists, and each row has one or says where. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

const PAGE = path.join(import.meta.dirname, "../../../docs/raft-behaviours.md");
const SIM = path.join(import.meta.dirname, "../../sim");
const page = readFileSync(PAGE, "utf8");
/** Outside of tables a name may go over the end of a line. */
const flat = page.replaceAll(/\n {3}/g, " ");

test("every test that the page names exists", () => {
  const named = [...flat.matchAll(/`([a-z-]+\.test\.ts)` “([^”]+)”/g)];
  assert.ok(named.length > 100, `${named.length}`);
  const missing = named.filter(([, file, name]) => {
    const folders = [import.meta.dirname, SIM];
    const at = folders.map((folder) => path.join(folder, file!)).find(existsSync);
    // A name that several options share ends there with "(…)".
    const starts = [`"${name}"`, `\`${name} (`, `\`${name}\``];
    return at === undefined || !starts.some((start) => readFileSync(at, "utf8").includes(start));
  });
  assert.deepEqual(
    missing.map(([all]) => all),
    [],
  );
});

test("every file that the page names was read as one", () => {
  const files = [...flat.matchAll(/`[a-z-]+\.test\.ts`/g)].length;
  assert.equal([...flat.matchAll(/`[a-z-]+\.test\.ts` “[^”]+”/g)].length, files);
});

test("the 24 classic bugs each have a row with a test, or with who will have one", () => {
  for (let bug = 1; bug <= 24; bug++) {
    const row = page.split("\n").find((line) => line.startsWith(`| ${bug} `));
    assert.ok(row !== undefined, `bug ${bug}`);
    assert.match(row, /\.test\.ts|with the (cluster|storage)/, `bug ${bug}`);
  }
});

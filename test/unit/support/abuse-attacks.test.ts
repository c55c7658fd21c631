import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ATTACKS, attackNamed } from "../../support/abuse-attacks.ts";

test("docs/08-testing.md lists every attack, and none that is not there", () => {
  const page = readFileSync("docs/08-testing.md", "utf8");
  const abuse = page.slice(page.indexOf("## Abuse"), page.indexOf("### The security table"));
  const rows = [...abuse.matchAll(/^\| ([a-z-]+) \| (.+) \| (.+) \|$/gm)].map((row) =>
    row.slice(1),
  );
  assert.deepEqual(
    rows.filter(([name]) => name !== "attack" && name !== "---"),
    ATTACKS.map(({ name, says, covers }) => [name, says, covers]),
  );
  assert.throws(() => attackNamed("nonsense"), /silent-admin/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { servedVersion } from "../../../src/server/served-version.ts";

test("served version: the source's own from 8.3 on, also by the calendar", () => {
  for (const version of ["8.3.0", "8.4.9-log", "9.0.1", "9.7.4-2", "26.7.0", "26.10.1", "100.1.0"])
    assert.equal(servedVersion(version), `${version}-binraft`);
});

test("served version: of what is older, is not MySQL or nothing known, one that has tagged GTIDs", () => {
  for (const version of [
    null,
    "",
    "5.6.24-log",
    "8.0.46",
    "8.2.0",
    "10.11.19-MariaDB",
    "5.5.5-10.11.19-MariaDB-0+deb12u1",
    "26.10.1-mariadb",
    "nonsense",
    "26",
    "1000.1.0",
  ])
    assert.equal(servedVersion(version), "9.7.0-binraft", String(version));
});

test("served version: the sums that clients compare are above 8.3 by number, whatever they are as text", () => {
  const number = (version: string): number => {
    const [major, minor] = version.split(".").map(Number);
    return major! * 1_000 + minor!;
  };
  for (const version of ["8.0.46", "8.4.0", "9.7.4", "26.7.0", "26.10.0", null])
    assert.ok(number(servedVersion(version)) >= 8_003, String(version));
  // As text it is below 8.4: clients that compare so ask as of an old server, and those words are answered too.
  assert.ok(servedVersion("26.7.0") < "8.4.0");
});

test("served version: what a source says is cut, and printable", () => {
  const said = servedVersion(`9.7.4-${"x".repeat(500)}\n`);
  assert.ok(said.length < 64 && said.endsWith("-binraft"), said);
  assert.doesNotMatch(said, /\n/);
});

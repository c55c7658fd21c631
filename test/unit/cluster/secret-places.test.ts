import assert from "node:assert/strict";
import { test } from "node:test";
import { whyNotNamed } from "../../../src/cluster/secret-places.ts";

const PLACES = {
  folder: "/var/lib/binraft/secrets",
  named: new Set(["file:/etc/binraft/pw", "env:MYSQL_PASSWORD", "/etc/binraft/ca.pem"]),
};

test("what may be named is in the folder for it, or in the node's own configuration", () => {
  const good = [
    "file:/var/lib/binraft/secrets/pw",
    "/var/lib/binraft/secrets/a/b.pem",
    "file:/etc/binraft/pw",
    "/etc/binraft/ca.pem",
    "env:MYSQL_PASSWORD",
    "env:BINRAFT_SOURCE_PASSWORD",
  ];
  for (const reference of good) assert.equal(whyNotNamed(reference, PLACES), null, reference);
  const bad = [
    "file:/etc/shadow",
    "/etc/shadow",
    "/dev/zero",
    "file:/var/lib/binraft/secrets",
    "file:/var/lib/binraft/secrets/../admin-token",
    "file:/var/lib/binraft/secrets/a/../../admin-token",
    "file:/var/lib/binraft/secrets-of-others/pw",
    "file:secrets/pw",
    "/etc/binraft/pw",
    "env:AWS_SECRET_ACCESS_KEY",
    "env:BINRAFT_x",
    "env:",
    "",
  ];
  for (const reference of bad)
    assert.match(whyNotNamed(reference, PLACES) ?? "", /may not be used here/, reference);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey } from "../../../src/server/address-key.ts";

test("addressKey", () => {
  for (const [host, want] of [
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["2001:DB8:0:0:1:2:3:4", "2001:db8:0:0::/64"],
    ["2001:0db8:0000:0001::", "2001:db8:0:1::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["64:ff9b::192.0.2.33", "64:ff9b:0:0::/64"],
    ["localhost", "localhost"],
    ["", ""],
  ] as const) {
    assert.equal(addressKey(host), want, host);
  }
});

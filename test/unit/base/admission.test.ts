import assert from "node:assert/strict";
import { test } from "node:test";
import { Admission, addressGroup } from "../../../src/base/admission.ts";

const LIMITS = { places: 6, placesPerAddress: 3 };

test("an address has its places and no more, and makes room only among its own", () => {
  const hall = new Admission<number>(LIMITS);
  for (const guest of [1, 2, 3]) assert.equal(hall.enter(guest, "10.0.0.1").evicted, null);
  hall.spoke(1);
  assert.equal(hall.enter(9, "10.0.0.2").evicted, null);
  assert.deepEqual(hall.enter(4, "10.0.0.1"), { isAdmitted: true, evicted: 2 });
  for (const guest of [3, 4]) hall.spoke(guest);
  assert.deepEqual(hall.enter(5, "10.0.0.1"), { isAdmitted: false, evicted: null });
  hall.leave(3);
  assert.equal(hall.enter(5, "10.0.0.1").isAdmitted, true);
  assert.equal(hall.size, 4);
});

test("silent ones from many addresses give way, the oldest first; those that spoke stay", () => {
  const hall = new Admission<number>(LIMITS);
  for (let guest = 1; guest <= 6; guest++) hall.enter(guest, `10.0.0.${guest}`);
  hall.spoke(1);
  hall.spoke(3);
  const gone = [7, 8, 9, 10].map((guest) => hall.enter(guest, `10.0.1.${guest}`).evicted);
  assert.deepEqual(gone, [2, 4, 5, 6]);
  hall.fellSilent(3);
  assert.equal(
    hall.enter(11, "10.0.2.1").evicted,
    7,
    "who fell silent again is the newest of them",
  );
  for (const guest of [1, 3, 8, 9, 10, 11]) hall.spoke(guest);
  assert.deepEqual(hall.enter(12, "10.0.2.2"), { isAdmitted: false, evicted: null });
  assert.equal(hall.size, 6);
});

test("who left is forgotten: leaving twice, speaking after it and falling silent after it do nothing", () => {
  const hall = new Admission<number>({ places: 1, placesPerAddress: 1 });
  hall.enter(1, "a");
  hall.leave(1);
  hall.leave(1);
  hall.spoke(1);
  hall.fellSilent(1);
  assert.equal(hall.size, 0);
  assert.deepEqual(hall.enter(2, "a"), { isAdmitted: true, evicted: null });
});

test("addresses are counted as one machine owns them", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["192.0.2.7", "192.0.2.7"],
    ["::ffff:192.0.2.7", "192.0.2.7"],
    ["2001:DB8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:0001:2::1", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["1:2:3:4:5:6:7::", "1:2:3:4::/64"],
  ];
  for (const [address, group] of cases) assert.equal(addressGroup(address), group);
});

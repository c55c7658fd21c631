import assert from "node:assert/strict";
import { test } from "node:test";
import { AbsentReplicas } from "../../../src/server/absent-replicas.ts";

const HOUR_MS = 3_600_000;

function started(): { absent: AbsentReplicas; at: (ms: number) => void } {
  let now = 0;
  const at = (ms: number): void => {
    now = ms;
  };
  return { absent: new AbsentReplicas({ mono: () => now }), at };
}

test("AbsentReplicas keeps the oldest place for so long after its replica left", () => {
  const { absent, at } = started();
  assert.equal(absent.oldest(HOUR_MS), null);
  absent.left("a", 7);
  at(HOUR_MS / 2);
  absent.left("b", 5);
  assert.equal(absent.oldest(HOUR_MS), 5);
  at(HOUR_MS);
  assert.equal(absent.oldest(HOUR_MS), 5, "a is over, b is not");
  at(1.5 * HOUR_MS);
  assert.equal(absent.oldest(HOUR_MS), null);
  assert.equal(absent.oldest(2 * HOUR_MS), 5);
  assert.equal(absent.oldest(0), null);
});

test("AbsentReplicas forgets one that is back, and takes its new place when it leaves again", () => {
  const { absent, at } = started();
  absent.left("a", 7);
  absent.isBack("a");
  assert.equal(absent.oldest(HOUR_MS), null);
  absent.left("a", 9);
  at(HOUR_MS / 2);
  absent.left("a", 11);
  at(HOUR_MS);
  assert.equal(absent.oldest(HOUR_MS), 11);
});

test("AbsentReplicas: one that left before it began changes nothing, one without uuid is nobody", () => {
  const { absent, at } = started();
  absent.left("", 3);
  assert.equal(absent.oldest(HOUR_MS), null);
  absent.left("a", 7);
  at(HOUR_MS / 2);
  absent.left("a", null);
  assert.equal(absent.oldest(HOUR_MS), 7);
  at(HOUR_MS);
  assert.equal(absent.oldest(HOUR_MS), null, "its time still counts from when it read last");
});

test("AbsentReplicas is bounded: who left first is forgotten", () => {
  const { absent } = started();
  for (let i = 0; i < 256; i++) absent.left(`u${i}`, 100 + i);
  assert.equal(absent.oldest(HOUR_MS), 100);
  absent.left("u0", 150);
  absent.left("one more", 400);
  assert.equal(absent.oldest(HOUR_MS), 102, "u0 has left again since, u1 was the first");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProblemDocument } from "../../../../src/admin/problem.ts";
import type { PlacementStatus } from "../../../../src/cluster/operations.ts";
import { setUp } from "../admin-support.ts";
import { CANARY } from "../fake-cluster.ts";

const PATH = "/v1/cluster/placement";

test("the plan is shown with its reasons, and nothing else", async () => {
  const { send } = setUp();
  const { status, body } = await send("GET", PATH);
  assert.equal(status, 200);
  const shown = body as PlacementStatus;
  assert.deepEqual(shown.plan?.promote, [3]);
  assert.deepEqual(shown.rtts[0], { from: "fra", to: "iad", rttMs: 91.25, measured: true });
  assert.ok(!JSON.stringify(body).includes(CANARY));
});

test("what plans aim at is changed in parts, and applied when asked for", async () => {
  const { node, send } = setUp();
  const changed = await send("PUT", PATH, { voters: 5, leaderRegion: null });
  assert.equal((changed.body as PlacementStatus).voters, 5);
  assert.equal((await send("POST", `${PATH}/apply`, {})).status, 200);
  assert.deepEqual(node.calls, ['placement {"voters":5,"leaderRegion":null}', "apply placement"]);
});

test("what cannot be meant is refused before the node is asked", async () => {
  const { node, send } = setUp();
  for (const body of [{ voters: 11 }, { mode: "often" }, { leaderRegion: "a b" }, { other: 1 }]) {
    const { status, body: problem } = await send("PUT", PATH, body);
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal((problem as ProblemDocument).code, "BR4006");
  }
  assert.deepEqual(node.calls, []);
});

test("GET /v1/nearest takes a region and lists who serves it", async () => {
  const { send } = setUp();
  const { body } = await send("GET", "/v1/nearest?region=fra");
  assert.deepEqual(body, {
    items: [
      {
        id: 2,
        name: "fra",
        region: "fra",
        mysqlAddress: "10.0.0.2:3307",
        rttMs: 1.5,
        lagEntries: 4,
      },
    ],
  });
  assert.equal((await send("GET", "/v1/nearest")).status, 400);
});

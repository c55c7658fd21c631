/** The form of traces, and what must hold in any: they are read by a model checker elsewhere. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TraceEvent } from "../../src/raft/trace.ts";
import { traceOf } from "./trace-files.ts";

const NAMES = new Set([
  "InitState",
  "BecomeFollower",
  "BecomeCandidate",
  "BecomeLeader",
  "Commit",
  "Replicate",
  "ChangeConf",
  "ApplyConfChange",
  "Ready",
  "SendAppendEntriesRequest",
  "ReceiveAppendEntriesRequest",
  "SendAppendEntriesResponse",
  "ReceiveAppendEntriesResponse",
  "SendRequestVoteRequest",
  "ReceiveRequestVoteRequest",
  "SendRequestVoteResponse",
  "ReceiveRequestVoteResponse",
]);

type Sent = {
  type: string;
  from: string;
  to: string;
  term: number;
  index: number;
  entries: number;
};
const messageOf = (event: TraceEvent): string => JSON.stringify(event.msg as Sent);

test("a trace has the events of the vocabulary, with numbers and ids as they are told apart there", () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 10; seed++) {
    for (const event of traceOf(seed)) {
      assert.ok(NAMES.has(event.name), event.name);
      seen.add(event.name);
      assert.match(event.nid, /^[1-3]$/);
      assert.match(event.state.vote, /^[0-3]$/);
      assert.equal(typeof event.state.term, "number");
      assert.ok(event.state.commit <= event.log);
    }
  }
  for (const name of ["BecomeLeader", "Commit", "Replicate", "ReceiveAppendEntriesResponse"])
    assert.ok(seen.has(name), name);
});

test("what is received was sent before, as often", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const underway = new Map<string, number>();
    for (const event of traceOf(seed)) {
      if (event.msg === undefined) continue;
      const message = messageOf(event);
      const count = underway.get(message) ?? 0;
      if (event.name.startsWith("Receive")) assert.ok(count > 0, `seed ${seed}: ${message}`);
      underway.set(message, count + (event.name.startsWith("Send") ? 1 : -1));
    }
  }
});

test("a leader tells of an entry before it is in its log, and acknowledges it to itself after", () => {
  const events = traceOf(1).filter(({ nid }) => nid === "1" || nid === "2" || nid === "3");
  let found = 0;
  for (const [at, event] of events.entries()) {
    if (event.name !== "Replicate") continue;
    const next = events
      .slice(at + 1)
      .find(({ nid, name }) => nid === event.nid && name !== "Replicate");
    assert.equal(next?.name, "SendAppendEntriesResponse");
    assert.ok(next!.log > event.log);
    found++;
  }
  assert.ok(found > 3, `${found}`);
});

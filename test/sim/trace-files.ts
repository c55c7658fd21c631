/**
 * Runs written down for Traceetcdraft, the specification in etcd raft's tla/ folder: one file a
 * seed, one event a line, of a cluster within what the specification knows (src/raft/trace.ts). The
 * model checker's cost grows faster than a trace: each is cut at 1,000 lines.
 *
 *   npm run sim -- --trace DIR --seeds 5
 *   JSON=DIR/seed-1.ndjson  and then etcd raft's tla/validate.sh
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { TraceEvent } from "../../src/raft/trace.ts";
import { Cluster } from "./cluster.ts";
import { drawEvents, drawOptions, type EventKind, type SimOptions } from "./events.ts";

const MAX_LINES = 1_000;
const EVENTS = 2_500;
/** No duplicates: to the specification a message that comes twice was sent twice. */
const KINDS: ReadonlySet<EventKind> = new Set([
  "tick",
  "deliver",
  "disk",
  "propose",
  "drop",
  "crash",
  "restart",
  "partition",
  "oneWay",
  "heal",
]);

export function writeTraces(folder: string, from: number, seeds: number): string {
  mkdirSync(folder, { recursive: true });
  let lines = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const events = traceOf(seed);
    lines += events.length;
    const text = events.map((event) => `${JSON.stringify({ tag: "trace", event })}\n`).join("");
    writeFileSync(path.join(folder, `seed-${seed}.ndjson`), text);
  }
  return `${seeds} traces of ${lines} events in ${folder}`;
}

/** The first events of a run of three voters. */
export function traceOf(seed: number): TraceEvent[] {
  const events: TraceEvent[] = [];
  let isBegun = false;
  const tracer = (event: TraceEvent): void => {
    if (isBegun && events.length < MAX_LINES) events.push(event);
  };
  const options: SimOptions = {
    ...drawOptions(seed),
    nodes: 3,
    voters: 3,
    preVote: false,
    checkQuorum: false,
    asyncStorageWrites: false,
    priorities: false,
    maxBytes: 1_000_000,
    tracer,
  };
  events.push(...bootstrap(options));
  const cluster = new Cluster(options);
  isBegun = true;
  for (const event of drawEvents(seed, EVENTS)) if (KINDS.has(event.kind)) cluster.apply(event);
  return events;
}

/** How etcd raft tells of a node that begins with a list of peers. */
function bootstrap({ voters }: SimOptions): TraceEvent[] {
  const ids = Array.from({ length: voters }, (_, i) => String(i + 1));
  const events: TraceEvent[] = [];
  for (const nid of ids) {
    const at = (term: number, commit: number, conf: readonly string[]) => ({
      nid,
      state: { term, vote: "0", commit },
      role: "StateFollower",
      log: commit,
      conf: [conf, []] as const,
    });
    events.push({ name: "InitState", ...at(0, 0, []) });
    events.push({ name: "BecomeFollower", ...at(0, 0, []) });
    events.push({ name: "BecomeFollower", ...at(1, 0, []) });
    for (let i = 0; i < voters; i++) {
      const prop = { cc: { newconf: ids.slice(0, i + 1) } };
      events.push({ name: "ApplyConfChange", ...at(1, voters, ids.slice(0, i)), prop });
    }
  }
  return events;
}

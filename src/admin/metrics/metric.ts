/**
 * What one metric is: the contract of this folder. The tables beside it hold every metric once;
 * registry.ts turns them into the Prometheus text, docs/generate.ts into the reference page.
 *
 * Invariants
 * 1. Values come from named fields of the node's contract. No text of the node is a value, and the
 *    only labels are those named here, so no secret can get out.
 * 2. Base units (bytes, seconds), units last, `_total` for what only grows while a process lives.
 * 3. Labels are bounded: by fixed words, by the members, or by MAX_SERIES of the replicas.
 */
import type {
  ClusterStatus,
  NodeMetrics,
  NodeStatus,
  ReplicaStatus,
} from "../../cluster/operations.ts";

/** Everything that a scrape looks at, read once, so that its numbers belong together. */
export interface Scrape {
  readonly status: NodeStatus;
  readonly cluster: ClusterStatus;
  readonly metrics: NodeMetrics;
  readonly replicas: readonly ReplicaStatus[];
  readonly ready: boolean;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  readonly name: `binraft_${string}`;
  readonly kind: "gauge" | "counter";
  readonly help: string;
  readonly labels: readonly string[];
  /** Empty when there is nothing to tell: then the metric is absent. */
  read(scrape: Scrape): readonly Sample[];
}

/** Time series of one metric that come from outside: replicas may be many and name themselves. */
export const MAX_SERIES = 256;

type Value = number | boolean | null;

export function gauge(
  name: Metric["name"],
  help: string,
  value: (scrape: Scrape) => Value,
): Metric {
  return { name, kind: "gauge", help, labels: [], read: (scrape) => samples(value(scrape)) };
}

export function counter(
  name: Metric["name"],
  help: string,
  value: (scrape: Scrape) => Value,
): Metric {
  return { name, kind: "counter", help, labels: [], read: (scrape) => samples(value(scrape)) };
}

/** A value for each of some words; `read` has an entry for each. */
export function labelled(
  metric: Pick<Metric, "name" | "kind" | "help" | "labels">,
  read: (scrape: Scrape) => readonly (readonly [labels: readonly string[], value: Value])[],
): Metric {
  const { labels } = metric;
  return {
    ...metric,
    read: (scrape) =>
      read(scrape).flatMap(([values, value]) =>
        samples(value, Object.fromEntries(labels.map((label, at) => [label, values[at] ?? ""]))),
      ),
  };
}

/** None for null: what is not known is absent, not 0. */
function samples(value: Value, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
  return value === null ? [] : [{ labels, value: Number(value) }];
}

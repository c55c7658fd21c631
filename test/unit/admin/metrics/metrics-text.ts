/** Reads Prometheus' text format 0.0.4, strictly: any line that is none fails. */
import assert from "node:assert/strict";

export interface MetricsText {
  /** `name` or `name{label="value"}` as it stands there → value. */
  readonly values: ReadonlyMap<string, number>;
  readonly kinds: ReadonlyMap<string, string>;
  readonly helps: ReadonlyMap<string, string>;
}

const LABEL = String.raw`[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"`;
const SAMPLE = new RegExp(`^([a-z_]+)(\\{${LABEL}(?:,${LABEL})*\\})? (-?[0-9.e+]+)$`);

export function parseMetrics(text: string): MetricsText {
  const values = new Map<string, number>();
  const kinds = new Map<string, string>();
  const helps = new Map<string, string>();
  assert.ok(text.endsWith("\n"));
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, word, about, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (word !== undefined) {
      const into = word === "HELP" ? helps : kinds;
      assert.ok(!into.has(about!), `${word} of ${about} stands there twice`);
      into.set(about!, rest!);
      continue;
    }
    const [, name, labels, value] = SAMPLE.exec(line) ?? [];
    assert.ok(name !== undefined, `no sample: ${line}`);
    assert.ok(kinds.has(name), `${name} has no TYPE before it`);
    const series = `${name}${labels ?? ""}`;
    assert.ok(!values.has(series), `${series} stands there twice`);
    values.set(series, Number(value));
  }
  return { values, kinds, helps };
}

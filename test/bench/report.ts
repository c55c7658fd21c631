/** The tables of docs/benchmarks.md. A part that is run by itself replaces its own and no other. */
import { readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

export interface Row {
  readonly what: string;
  readonly target: string;
  readonly measured: string;
  readonly peer: string;
  /** Null where there is no target to hold against in this run. */
  readonly met: boolean | null;
}

const FILE = path.join(import.meta.dirname, "../../docs/benchmarks.md");
const INTRO = `# Benchmarks

Written by \`npm run bench\`; \`npm run bench -- raft\` (or \`node\`, \`cluster\`, \`runtimes\`) writes one part.
`;
export type Part = "raft" | "node" | "cluster" | "runtimes";
const TITLES: Readonly<Record<Part, string>> = {
  raft: "The Raft core",
  node: "One node beside its source",
  cluster: "Three voters beside one node",
  runtimes: "Bun and Deno beside Node",
};
/** What `peer` of a row is about. */
const PEERS: Partial<Readonly<Record<Part, string>>> = { runtimes: "Node in the same run" };

export async function writeReport(part: Part, about: string, rows: readonly Row[]): Promise<void> {
  const machine = `${os.cpus().length} shared cores, ${process.version}`;
  const lines = rows.map(
    (row) =>
      `| ${row.what} | ${row.target} | ${row.measured} | ${row.peer} | ${row.met === null ? "—" : row.met ? "yes" : "no"} |`,
  );
  const section = `${about} (${machine})

| what | target | measured | ${PEERS[part] ?? "the source itself"} | met |
| --- | --- | --- | --- | --- |
${lines.join("\n")}
`;
  const sections = sectionsOf(await readFile(FILE, "utf8"));
  sections.set(TITLES[part], section);
  const text = Object.values(TITLES)
    .filter((title) => sections.has(title))
    .map((title) => `\n## ${title}\n\n${sections.get(title)}`);
  await writeFile(FILE, INTRO + text.join(""));
  console.log(`Wrote docs/benchmarks.md: ${TITLES[part]}`);
}

function sectionsOf(text: string): Map<string, string> {
  const sections = new Map<string, string>();
  for (const section of text.split(/^## /m).slice(1)) {
    const [title = "", ...lines] = section.split("\n");
    sections.set(title, `${lines.join("\n").trim()}\n`);
  }
  return sections;
}

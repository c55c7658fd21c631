/** The table of docs/benchmarks.md. */
import { writeFile } from "node:fs/promises";
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

export async function writeReport(
  rows: readonly Row[],
  sizes: { small: number; bulk: number },
): Promise<void> {
  const machine = `${os.cpus().length} shared cores, ${process.version}`;
  const lines = rows.map(
    (row) =>
      `| ${row.what} | ${row.target} | ${row.measured} | ${row.peer} | ${row.met === null ? "—" : row.met ? "yes" : "no"} |`,
  );
  const text = `# Benchmarks

Written by \`npm run bench\` (${machine}; ${sizes.small} small transactions of about 460 bytes, ${sizes.bulk} of
1 MiB; MySQL 9 as the source, on the same machine). Each figure stands beside that of the source itself in the
same run, read by the same client, which counts bytes and looks at nothing. Cores and disk are shared with the
source and the client: read ratios, not absolute figures.

| what | target | measured | the source itself | met |
| --- | --- | --- | --- | --- |
${lines.join("\n")}
`;
  await writeFile(path.join(import.meta.dirname, "../../docs/benchmarks.md"), text);
  console.log("Wrote docs/benchmarks.md");
}

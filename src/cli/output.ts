/**
 * What verbs print: aligned tables and sentences for people, JSON for programs. Colour only on a
 * terminal and without NO_COLOR.
 */
import { printable } from "../base/logger.ts";
import type { Process } from "../platform/process.ts";

export type Cell = string | number | boolean | null;

const COLOURS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;
const LONGEST_CELL = 2000;

export class Output {
  readonly #process: Pick<Process, "stdout" | "stderr" | "env">;
  readonly json: boolean;

  constructor(process: Pick<Process, "stdout" | "stderr" | "env">, json: boolean) {
    this.#process = process;
    this.json = json;
  }

  get isTerminal(): boolean {
    return this.#process.stdout.isTerminal;
  }

  line(text = ""): void {
    this.#process.stdout.write(`${text}\n`);
  }

  /** One value: as JSON when that was asked for, else what `show` prints. */
  result(value: unknown, show: () => void): void {
    if (this.json) this.#process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    else show();
  }

  /** To who waits, beside what is printed. */
  progress(text: string): void {
    if (this.#process.stderr.isTerminal) this.#process.stderr.write(`${text}\n`);
  }

  /** One line of a series of values. */
  jsonLine(value: unknown): void {
    this.#process.stdout.write(`${JSON.stringify(value)}\n`);
  }

  table(header: readonly string[], rows: readonly (readonly Cell[])[]): void {
    for (const text of tableLines(header, rows)) this.line(text);
  }

  /** Two columns: what, and how it is. Rows with an empty value are left out. */
  facts(rows: readonly (readonly [string, string])[]): void {
    const shown = rows.filter(([, value]) => value !== "");
    const width = Math.max(...shown.map(([name]) => name.length));
    for (const [name, value] of shown)
      this.line(`${this.paint("dim", name.padEnd(width))}  ${value}`);
  }

  clear(): void {
    if (this.isTerminal) this.#process.stdout.write("\x1b[2J\x1b[H");
  }

  paint(colour: keyof typeof COLOURS, text: string): string {
    const plain = !this.isTerminal || (this.#process.env["NO_COLOR"] ?? "") !== "";
    return plain ? text : `\x1b[${COLOURS[colour]}m${text}\x1b[0m`;
  }
}

/** Numbers to the right, everything else to the left; no trailing blanks. */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
): string[] {
  const text = rows.map((row) => row.map(cell));
  const widths = header.map((name, column) =>
    Math.max(name.length, ...text.map((row) => row[column]?.length ?? 0)),
  );
  const numeric = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"),
  );
  const format = (row: readonly string[]): string =>
    row
      .map((value, column) =>
        numeric[column] ? value.padStart(widths[column]!) : value.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd();
  return [format(header), ...text.map(format)];
}

/** Names of accounts and replicas come from outside: no control character reaches the terminal. */
function cell(value: Cell): string {
  if (value === null || value === "") return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return printable(String(value), LONGEST_CELL);
}

export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${unit === "B" ? value : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

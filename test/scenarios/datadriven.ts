/**
 * The grammar of data-driven test files (cockroachdb/datadriven): a directive with arguments, its
 * input, a line `----`, and the output that is expected of it.
 *
 *   # a comment                            subtest NAME
 *   command key key=value key=(a, b)         …
 *   input                                  subtest end NAME
 *   ----
 *   expected output up to a blank line, or up to two lines `----` if it began with a second one
 *
 * A directive that ends in a backslash goes on in the next line.
 */

export interface Arg {
  readonly key: string;
  /** Empty for a bare key; one empty string for `key=`. */
  readonly values: readonly string[];
}

export interface Directive {
  /** Of the file, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Arg[];
  readonly input: string;
  /** Every line ends in a newline. */
  readonly expected: string;
  /** The lines that hold `expected` with its own separators, from 0, `to` excluded. */
  readonly expectedLines: { readonly from: number; readonly to: number };
  /** Names of the subtests around it, outermost first. */
  readonly subtests: readonly string[];
}

export interface DataFile {
  readonly lines: readonly string[];
  readonly directives: readonly Directive[];
}

/** Gives the output of a directive. */
export type Handler = (directive: Directive) => string;

/** The file itself is wrong, or asks for something in a way that makes no sense. */
export class BadFile extends Error {
  constructor(reason: string, line?: number) {
    super(line === undefined ? reason : `line ${line}: ${reason}`);
    this.name = "BadFile";
  }
}

const SEPARATOR = "----";

export function parseFile(text: string): DataFile {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  if (lines[lines.length - 1] === "") lines.pop();
  return { lines, directives: new Parser(lines).parse() };
}

class Parser {
  readonly #lines: readonly string[];
  #at = 0;
  readonly #subtests: string[] = [];

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  parse(): Directive[] {
    const found: Directive[] = [];
    while (this.#at < this.#lines.length) {
      const line = this.#at + 1;
      const text = this.#directiveLine();
      if (text === "" || text.startsWith("#")) continue;
      const { command, args } = at(line, () => parseDirective(text));
      if (command === "subtest") this.#subtest(args, line);
      else found.push({ line, command, args, ...this.#parts(line), subtests: [...this.#subtests] });
    }
    const open = this.#subtests.at(-1);
    if (open !== undefined) throw new BadFile(`subtest ${open} has no end`);
    return found;
  }

  #directiveLine(): string {
    let text = this.#lines[this.#at++]!.trim();
    if (text.startsWith("#")) return text;
    while (text.endsWith("\\") && this.#at < this.#lines.length) {
      text = `${text.slice(0, -1)} ${this.#lines[this.#at++]!.trim()}`;
    }
    return text.trim();
  }

  #subtest(args: readonly Arg[], line: number): void {
    const name = args[0]?.key;
    const outer = this.#subtests.at(-1);
    if (name === "end" && args.length <= 2) {
      if (outer === undefined) throw new BadFile("subtest end without a start", line);
      const ended = args[1]?.key ?? outer;
      if (ended !== outer) throw new BadFile(`subtest end ${ended} inside of ${outer}`, line);
      this.#subtests.pop();
      return;
    }
    if (name === undefined || name === "end" || args.length !== 1) {
      throw new BadFile("expected: subtest NAME, or: subtest end [NAME]", line);
    }
    if (outer !== undefined && !name.startsWith(`${outer}/`)) {
      throw new BadFile(`a subtest inside of ${outer} is called ${outer}/…`, line);
    }
    this.#subtests.push(name);
  }

  #parts(line: number): Pick<Directive, "input" | "expected" | "expectedLines"> {
    const end = this.#lines.indexOf(SEPARATOR, this.#at);
    if (end < 0) throw new BadFile(`no line ${SEPARATOR} behind the directive`, line);
    const input = this.#lines.slice(this.#at, end).join("\n").trim();
    const from = end + 1;
    this.#at = from;
    const expected = this.#lines[from] === SEPARATOR ? this.#framed(line) : this.#untilBlank();
    const expectedLines = { from, to: this.#at };
    if (this.#at < this.#lines.length) this.#at++;
    return { input, expected: expected.map((text) => `${text}\n`).join(""), expectedLines };
  }

  #untilBlank(): readonly string[] {
    const from = this.#at;
    while (this.#at < this.#lines.length && this.#lines[this.#at]!.trim() !== "") this.#at++;
    return this.#lines.slice(from, this.#at);
  }

  /** Between two pairs of separators blank lines are lines like others. */
  #framed(line: number): readonly string[] {
    const from = this.#at + 1;
    let to = from;
    while (this.#lines[to] !== SEPARATOR || this.#lines[to + 1] !== SEPARATOR) {
      // A separator alone belongs to the text, and so does the line behind it.
      to += this.#lines[to] === SEPARATOR ? 2 : 1;
      if (to >= this.#lines.length) throw new BadFile("the output has no end", line);
    }
    this.#at = to + 2;
    if ((this.#lines[this.#at] ?? "").trim() !== "") {
      throw new BadFile("a blank line is expected here", this.#at + 1);
    }
    return this.#lines.slice(from, to);
  }
}

function at<T>(line: number, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    throw error instanceof BadFile ? new BadFile(error.message, line) : error;
  }
}

export function parseDirective(line: string): { command: string; args: Arg[] } {
  let rest = line.trim();
  /** Takes what stands before the first of `chars`. */
  const until = (chars: RegExp): string => {
    const end = rest.search(chars);
    const taken = end < 0 ? rest : rest.slice(0, end);
    rest = rest.slice(taken.length);
    return taken;
  };
  const command = until(/ /);
  const args: Arg[] = [];
  for (rest = rest.trim(); rest !== ""; rest = rest.trim()) {
    const key = until(/[ =]/);
    if (key === "") throw new BadFile(`a key is expected before: ${rest}`);
    if (!rest.startsWith("=")) {
      args.push({ key, values: [] });
    } else if (rest.startsWith("=(")) {
      const { values, length } = parenthesised(rest.slice(1));
      args.push({ key, values });
      rest = rest.slice(1 + length);
    } else {
      rest = rest.slice(1);
      args.push({ key, values: [until(/ /)] });
    }
  }
  return { command, args };
}

/** The values in `(a, b(c, d))`, split at the commas that are in no inner parentheses. */
function parenthesised(text: string): { values: string[]; length: number } {
  const values: string[] = [];
  let depth = 0;
  let start = 1;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "(") depth++;
    else if (char === ")") depth--;
    if (depth === 0) {
      values.push(text.slice(start, i));
      return { values, length: i + 1 };
    }
    if (char !== "," || depth !== 1) continue;
    values.push(text.slice(start, i));
    while (text[i + 1] === " ") i++;
    start = i + 1;
  }
  throw new BadFile(`a parenthesis is not closed: ${text}`);
}

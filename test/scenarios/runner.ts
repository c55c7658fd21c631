/** Runs one data-driven file from its first directive to the first whose output differs. */
import { BadFile, type DataFile, type Directive, type Handler, parseFile } from "./datadriven.ts";
import { diff } from "./diff.ts";
import { rewrite } from "./rewrite.ts";

export interface Outcome {
  /** How many directives were run, the failed one included. */
  readonly directives: number;
  /** What went wrong first, for people. */
  readonly failure: string | null;
}

export function runText(text: string, handler: Handler): Outcome {
  const parsed = parse(text);
  if (typeof parsed === "string") return { directives: 0, failure: parsed };
  for (const [index, directive] of parsed.directives.entries()) {
    const failure = check(directive, handler);
    if (failure !== null) return { directives: index + 1, failure };
  }
  return { directives: parsed.directives.length, failure: emptyFile(parsed) };
}

/** Like `runText`, but takes every output as right: `text` is the file with them, null on a failure. */
export function rewriteText(
  text: string,
  handler: Handler,
): Outcome & { readonly text: string | null } {
  const parsed = parse(text);
  if (typeof parsed === "string") return { directives: 0, failure: parsed, text: null };
  const outputs: string[] = [];
  for (const directive of parsed.directives) {
    try {
      outputs.push(outputOf(directive, handler));
    } catch (error) {
      const failure = failedAt(directive, describeError(error));
      return { directives: outputs.length + 1, failure, text: null };
    }
  }
  const failure = emptyFile(parsed);
  try {
    return { directives: outputs.length, failure, text: rewrite(parsed, outputs) };
  } catch (error) {
    return { directives: outputs.length, failure: describeError(error), text: null };
  }
}

function parse(text: string): DataFile | string {
  try {
    return parseFile(text);
  } catch (error) {
    return (error as Error).message;
  }
}

/** A file without directives checks nothing: that must not pass for success. */
function emptyFile({ directives }: DataFile): string | null {
  return directives.length === 0 ? "the file has no directive" : null;
}

function check(directive: Directive, handler: Handler): string | null {
  let output: string;
  try {
    output = outputOf(directive, handler);
  } catch (error) {
    return failedAt(directive, describeError(error));
  }
  if (output === directive.expected) return null;
  return failedAt(directive, diff(directive.expected, output));
}

function outputOf(directive: Directive, handler: Handler): string {
  const output = handler(directive);
  return output === "" || output.endsWith("\n") ? output : `${output}\n`;
}

function failedAt({ line, command, args, subtests }: Directive, what: string): string {
  const words = args.map(({ key, values }) => {
    if (values.length === 0) return key;
    return `${key}=${values.length === 1 ? values[0] : `(${values.join(",")})`}`;
  });
  const within = subtests.length === 0 ? "" : `${subtests.at(-1)}: `;
  return `line ${line}: ${within}${[command, ...words].join(" ")}\n${what.trimEnd()}`;
}

function describeError(error: unknown): string {
  if (error instanceof BadFile) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

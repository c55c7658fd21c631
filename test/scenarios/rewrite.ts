/** Writes what came out back into a data-driven file; all else stays as it was written. */
import { BadFile, type DataFile, parseFile } from "./datadriven.ts";

/** `outputs` has one for every directive of the file. */
export function rewrite(file: DataFile, outputs: readonly string[]): string {
  const lines: string[] = [];
  let at = 0;
  for (const [index, directive] of file.directives.entries()) {
    const { from, to } = directive.expectedLines;
    const output = outputs[index]!;
    if (output === directive.expected) continue;
    lines.push(...file.lines.slice(at, from), ...frame(output));
    at = to;
  }
  lines.push(...file.lines.slice(at));
  const text = lines.map((line) => `${line}\n`).join("");
  for (const [index, directive] of parseFile(text).directives.entries()) {
    if (directive.expected === outputs[index]) continue;
    throw new BadFile("the output cannot be written down: it has separators in it", directive.line);
  }
  return text;
}

/** A blank line would end the output, so output that has one goes between double separators. */
function frame(output: string): string[] {
  const lines = output.split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  const needsFrame = lines.some((line) => line.trim() === "") || lines[0] === "----";
  return needsFrame ? ["----", ...lines, "----", "----"] : lines;
}

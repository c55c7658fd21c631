/** The lines in which two texts differ, for people. */

const CONTEXT = 3;

interface Line {
  readonly mark: " " | "-" | "+";
  readonly text: string;
}

/** `-` was expected, `+` came out; with some lines around each difference. */
export function diff(expected: string, actual: string): string {
  const lines = compare(toLines(expected), toLines(actual));
  const isNear = (at: number): boolean =>
    lines.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ mark }) => mark !== " ");
  let text = "";
  let wasNear = true;
  for (const [at, { mark, text: line }] of lines.entries()) {
    const near = isNear(at);
    if (near) text += `${mark} ${line}\n`;
    else if (wasNear) text += "  …\n";
    wasNear = near;
  }
  return text;
}

function toLines(text: string): string[] {
  const lines = text.split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  return lines;
}

/** By the longest common subsequence. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const width = after.length + 1;
  // common[i * width + j]: its length for the lines from i and from j on.
  const common = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] =
        before[i] === after[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: " ", text: before[i++]! });
      j++;
    } else if (
      j >= after.length ||
      (i < before.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      lines.push({ mark: "-", text: before[i++]! });
    } else {
      lines.push({ mark: "+", text: after[j++]! });
    }
  }
  return lines;
}

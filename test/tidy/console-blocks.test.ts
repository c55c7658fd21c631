/** Every command of binraft in the documentation is one: the command line knows its verbs and options. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { CliWorld } from "../unit/cli/cli-support.ts";

const ROOT = path.join(import.meta.dirname, "../..");
/** How a command begins in a checkout, in a container and on other runtimes. */
const BEFORE =
  /^(?:npm run -s binraft -- |(?:docker compose exec \S+ |bun run -s |deno task -q |sudo -u \S+ )?binraft )/;
const USAGE = 2;

interface Line {
  readonly file: string;
  readonly command: string;
}

function pages(): string[] {
  const docs = readdirSync(path.join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.map((name) => `docs/${name}`)];
}

function commandsOf(file: string): Line[] {
  const text = readFileSync(path.join(ROOT, file), "utf8");
  const blocks = [...text.matchAll(/^```console\n([\s\S]*?)^```/gm)].map(([, block]) => block!);
  return blocks
    .flatMap((block) => block.replaceAll("\\\n", " ").split("\n"))
    .filter((line) => line.startsWith("$ "))
    .map((line) =>
      line
        .slice(2)
        .replace(/\s+#.*$/, "")
        .replace(/ &$/, ""),
    )
    .map((line) => line.replace(/^(?:[A-Z_]+=\S+ )+/, ""))
    .filter((line) => BEFORE.test(line) && !line.includes(" | ") && !line.includes(" > "))
    .map((command) => ({ file, command: command.replace(BEFORE, "") }));
}

/** As a shell splits it: blanks, and quotes of either kind. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replaceAll(/["']/g, ""),
  );
}

const lines = pages().flatMap(commandsOf);

test("the documentation's commands are found", () => {
  for (const page of [
    "README.md",
    "docs/06-clusters.md",
    "docs/07-operations.md",
    "docs/11-fly.md",
  ])
    assert.ok(
      lines.some(({ file }) => file === page),
      page,
    );
  assert.ok(lines.length > 35, `${lines.length} commands`);
});

for (const { file, command } of lines) {
  test(`${file}: binraft ${command}`, async () => {
    const words = wordsOf(command);
    // These run for ever, or need a machine of their own.
    if (["start", "demo"].includes(words[0]!)) words.push("--help");
    if (words.includes("--watch")) words.splice(words.indexOf("--watch"), 1);
    const world = new CliWorld();
    for (const [at, word] of words.entries())
      if (/file|ca$|cert$|key$/.test(word)) world.file(words[at + 1] ?? "", "x".repeat(32));
    const { exit, stderr } = await world.run(...words);
    // The first call of what cannot be taken back only shows what it would do.
    const onlyShows = stderr === "" || words[0] === "recover" || words[1] === "accept-gap";
    const isWrong = exit === USAGE && !onlyShows;
    assert.ok(!isWrong, `${exit}: ${stderr}`);
  });
}

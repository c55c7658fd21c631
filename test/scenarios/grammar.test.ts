/** The grammar of data-driven files, the run of one, and the rewrite mode. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Directive, parseDirective, parseFile } from "./datadriven.ts";
import { diff } from "./diff.ts";
import { quote } from "./go-text.ts";
import { rewriteText, runText } from "./runner.ts";

function only(text: string): Directive {
  const { directives } = parseFile(text);
  assert.equal(directives.length, 1);
  return directives[0]!;
}

function text(...lines: string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

describe("arguments", () => {
  const valuesOf = (line: string): (readonly [string, ...string[]])[] =>
    parseDirective(line).args.map(({ key, values }) => [key, ...values] as const);

  test("keys, values and lists", () => {
    assert.deepEqual(valuesOf("do  1 a=b c=(d,e, f) g"), [
      ["1"],
      ["a", "b"],
      ["c", "d", "e", "f"],
      ["g"],
    ]);
    assert.equal(parseDirective("do 1").command, "do");
  });

  test("an empty value is a value", () => {
    assert.deepEqual(valuesOf("do a= b"), [["a", ""], ["b"]]);
    assert.deepEqual(valuesOf("do a=() b=(,)"), [
      ["a", ""],
      ["b", "", ""],
    ]);
  });

  test("inner parentheses and spaces belong to the value", () => {
    assert.deepEqual(valuesOf("do a=(f(1, 2), 1 2 3)"), [["a", "f(1, 2)", "1 2 3"]]);
  });

  test("a value keeps what is not a space", () => {
    assert.deepEqual(valuesOf('do a=b=c "x"'), [["a", "b=c"], ['"x"']]);
  });

  test("what is no argument is refused", () => {
    assert.throws(() => parseDirective("do a=(b"), /not closed/);
    assert.throws(() => parseDirective("do =b"), /a key is expected/);
  });
});

describe("directives", () => {
  test("input and expected output", () => {
    const found = only(
      text("# comment", "", "do 1", "  some", "", "input ", "----", "out", " put"),
    );
    assert.equal(found.line, 3);
    assert.equal(found.input, "some\n\ninput");
    assert.equal(found.expected, "out\n put\n");
  });

  test("output ends at a blank line, and may be missing", () => {
    const { directives } = parseFile(text("a", "----", "1", "  ", "b", "----", "", "c", "----"));
    assert.deepEqual(
      directives.map(({ command, expected }) => [command, expected]),
      [
        ["a", "1\n"],
        ["b", ""],
        ["c", ""],
      ],
    );
  });

  test("between double separators blank lines are output", () => {
    const lines = ["a", "----", "----", "1", "", "----", "2", "----", "----", "", "b", "----", "3"];
    const { directives } = parseFile(text(...lines));
    assert.deepEqual(
      directives.map(({ expected }) => expected),
      ["1\n\n----\n2\n", "3\n"],
    );
  });

  test("a backslash goes on in the next line", () => {
    const found = only(text("do \\", "   a=1 \\", "  b", "input", "----"));
    assert.deepEqual(found.args, [
      { key: "a", values: ["1"] },
      { key: "b", values: [] },
    ]);
    assert.equal(found.input, "input");
    // Not in a comment.
    assert.equal(only(text("# \\", "do", "----")).command, "do");
  });

  test("lines may end as on Windows, and the last one not at all", () => {
    assert.equal(only("do\r\n----\r\nout").expected, "out\n");
  });

  test("what has no end is refused", () => {
    assert.throws(() => parseFile(text("", "do", "x")), /line 2: no line ----/);
    assert.throws(() => parseFile(text("do", "----", "----", "x", "----")), /has no end/);
    const unspaced = text("do", "----", "----", "----", "----", "do", "----");
    assert.throws(() => parseFile(unspaced), /line 6: a blank line/);
    assert.throws(() => parseFile(text("", "do a=(", "----")), /line 2: a parenthesis/);
  });
});

describe("subtests", () => {
  test("nest, and name what is in them", () => {
    const lines = [
      "subtest a",
      "",
      "do",
      "----",
      "",
      "subtest a/b",
      "do",
      "----",
      "",
      "subtest end",
    ];
    const { directives } = parseFile(
      text(...lines, "do", "----", "", "subtest end a", "do", "----"),
    );
    assert.deepEqual(
      directives.map(({ subtests }) => subtests.join()),
      ["a", "a,a/b", "a", ""],
    );
  });

  test("have one beginning and one end", () => {
    assert.throws(() => parseFile("subtest a\n"), /subtest a has no end/);
    assert.throws(() => parseFile("subtest end\n"), /without a start/);
    assert.throws(() => parseFile(text("subtest a", "subtest end b")), /subtest end b inside of a/);
    assert.throws(() => parseFile(text("subtest a", "subtest b")), /is called a\//);
    assert.throws(() => parseFile("subtest\n"), /expected: subtest NAME/);
  });
});

describe("a run", () => {
  const echo = ({ input }: Directive): string => input;

  test("goes on to the first difference, and shows it", () => {
    const file = text("a", "1", "----", "1", "", "b x=(1, 2)", "2", "3", "----", "2", "4", "", "c");
    const { directives, failure } = runText(`${file}----\n`, echo);
    assert.equal(directives, 2);
    assert.equal(failure, "line 6: b x=(1,2)\n  2\n- 4\n+ 3");
  });

  test("adds the newline that output lacks, and none to no output", () => {
    const file = text("a", "1", "----", "1", "", "b", "----");
    assert.deepEqual(runText(file, echo), { directives: 2, failure: null });
  });

  test("fails when the handler throws, and when there is nothing to run", () => {
    const broken = (): string => {
      throw new Error("no handler");
    };
    assert.match(runText("a\n----\n", broken).failure!, /^line 1: a\nError: no handler/);
    assert.equal(runText("# a\n", echo).failure, "the file has no directive");
    assert.match(runText("a\n", echo).failure!, /no line ----/);
  });
});

describe("the rewrite mode", () => {
  const rewritten = (file: string, outputs: Readonly<Record<string, string>>): string => {
    const result = rewriteText(file, ({ command }) => outputs[command]!);
    assert.equal(result.failure, null);
    return result.text!;
  };

  test("replaces what differs and nothing else", () => {
    const file = text("# 1", "a  x=1", "in", "----", "old", "", "", "# 2", "b", "----", "kept", "");
    const fresh = rewritten(file, { a: "new\nlines", b: "kept" });
    assert.equal(fresh, file.replace("old", "new\nlines"));
    assert.equal(rewritten(fresh, { a: "new\nlines", b: "kept" }), fresh);
  });

  test("fills in what a new directive has none of", () => {
    const file = text("a", "----", "", "b", "----");
    assert.equal(rewritten(file, { a: "1", b: "2" }), text("a", "----", "1", "", "b", "----", "2"));
  });

  test("takes double separators where they are needed, and only there", () => {
    const plain = text("a", "----", "1", "", "b", "----", "2");
    const framed = text("a", "----", "----", "1", "", "3", "----", "----", "", "b", "----", "2");
    assert.equal(rewritten(plain, { a: "1\n\n3", b: "2" }), framed);
    assert.equal(rewritten(framed, { a: "1", b: "2" }), plain);
    const { failure } = rewriteText(plain, () => "1\n----\n----\n\n2");
    assert.match(failure!, /separators|----|blank line/);
  });

  test("leaves the file alone when a handler throws", () => {
    const { failure, text: fresh } = rewriteText("a\n----\nold\n", () => {
      throw new Error("broken");
    });
    assert.match(failure!, /broken/);
    assert.equal(fresh, null);
  });
});

test("a difference is shown with the lines around it", () => {
  const lines = ["1", "2", "3", "4", "5", "6"];
  assert.equal(diff(text(...lines), text(...lines, "7")), "  …\n  4\n  5\n  6\n+ 7\n");
  assert.equal(diff("a\nb\n", "b\nc\n"), "- a\n  b\n+ c\n");
});

test("bytes are quoted as Go quotes them", () => {
  const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
  assert.equal(quote(bytes('"a\\\n\t\x07\x01\x7f')), '"\\"a\\\\\\n\\t\\a\\x01\\x7f"');
  assert.equal(quote(bytes("é∞😀")), '"é∞😀"');
  assert.equal(quote(bytes("\u200b\u{e0001}")), '"\\u200b\\U000e0001"');
  assert.equal(quote(Uint8Array.of(0x61, 0xff, 0xc3)), '"a\\xff\\xc3"');
});

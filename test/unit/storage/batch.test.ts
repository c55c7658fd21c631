import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchAssembler, judgeBatch, type NewRecord } from "../../../src/storage/batch.ts";
import { type LogEnd, RecordType } from "../../../src/storage/format.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import { payload } from "./world-log.ts";

interface Content {
  readonly records: readonly NewRecord[];
  readonly number: number;
  readonly previousCrc: number;
  readonly before: LogEnd;
  readonly hardState: { term: number; vote: number; commit: number };
}

const RECORDS: readonly NewRecord[] = [1, 2].map((index) => {
  return { type: RecordType.ENTRY, entryType: 0, index, term: 3, payload: payload(index, 700) };
});
const CONTENT: Content = {
  records: RECORDS,
  number: 5,
  previousCrc: 77,
  before: { lastIndex: 0, lastTerm: 0, lastChange: 0 },
  hardState: { term: 3, vote: 1, commit: 0 },
};

function assemble(change: Partial<Content>): { bytes: Uint8Array; crc: number } {
  const { records, number, previousCrc, before, hardState } = { ...CONTENT, ...change };
  const assembler = new BatchAssembler(nodeCrc32);
  const { bytes, crc } = assembler.assemble(records, number, previousCrc, before, hardState);
  return { bytes: bytes.slice(), crc };
}

const OTHERS: readonly Partial<Content>[] = [
  { number: 6 },
  { previousCrc: 78 },
  { before: { lastIndex: 1, lastTerm: 0, lastChange: 0 } },
  { before: { lastIndex: 0, lastTerm: 1, lastChange: 0 } },
  { before: { lastIndex: 0, lastTerm: 0, lastChange: 1 } },
  { hardState: { term: 4, vote: 1, commit: 0 } },
  { hardState: { term: 3, vote: 2, commit: 0 } },
  { hardState: { term: 3, vote: 1, commit: 1 } },
  { records: [RECORDS[0]!, { ...RECORDS[1]!, term: 4 }] },
  { records: [RECORDS[0]!, { ...RECORDS[1]!, payload: payload(9, 700) }] },
  { records: [RECORDS[1]!, RECORDS[0]!] },
];

test("The CRC of a batch, which chains it to the next one, stands for all that it holds", () => {
  const crcs = new Set([CONTENT, ...OTHERS].map((content) => assemble(content).crc));
  assert.equal(crcs.size, OTHERS.length + 1);
});

test("A batch with a header or a record of another one is corrupt, though each is whole by itself", () => {
  const { bytes, crc } = assemble({});
  const verdict = judgeBatch(bytes, 0, nodeCrc32);
  assert.ok(verdict.kind === "whole" && verdict.crc === crc);
  for (const [at, change] of OTHERS.entries()) {
    const mixed = bytes.slice();
    // All but the trailer.
    mixed.set(assemble(change).bytes.subarray(0, bytes.length - 32));
    assert.equal(judgeBatch(mixed, 0, nodeCrc32).kind, "corrupt", `change ${at}`);
  }
});

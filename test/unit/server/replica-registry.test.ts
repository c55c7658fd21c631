import assert from "node:assert/strict";
import { test } from "node:test";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import { waitFor } from "../../support/wait-for.ts";
import { type DumpReader, dump, serve } from "./harness.ts";
import { FileMaker, SOURCE } from "./make-file.ts";
import { MemoryStream } from "./memory-stream.ts";

const UUID = "aaaaaaaa-2222-3333-4444-555555555555";
const HOUR_MS = 3_600_000;

/** Two files, of transactions 1 to 4 and 5 to 8. */
function twoFiles(): MemoryStream {
  const stream = new MemoryStream();
  const first = new FileMaker("").transactions(1, 4).rotate("binlog.000002");
  stream.addFile(first.file, "binlog.000001");
  stream.addFile(new FileMaker(`${SOURCE}:1-4`).transactions(5, 8).file, "binlog.000002");
  return stream;
}

test("neededFrom keeps the place of a replica that left, until it is back and further", async () => {
  const stream = twoFiles();
  const [first, second] = stream.files.map((file) => file.startEntry);
  assert.ok(first! < second!);
  await using run = await serve(stream);
  const { registry } = run.server;
  const none = Number.POSITIVE_INFINITY;
  assert.equal(registry.neededFrom(HOUR_MS), none);
  const leave = async (reader: DumpReader): Promise<void> => {
    reader.close();
    await waitFor(() => registry.size === 0, { deadlineMs: 5000, what: "it to leave" });
  };
  await leave(await (await dump(run.port, { uuid: UUID, gtids: `${SOURCE}:1-2` })).count(3));
  assert.equal(registry.neededFrom(HOUR_MS), first);
  assert.equal(registry.neededFrom(0), none);
  // Refused: nothing is learned from that.
  const refused = await dump(run.port, { uuid: UUID, gtids: `${SOURCE}:1-99` });
  assert.match((await refused.toEnd()).end!, /^1236/);
  await waitFor(() => registry.size === 0, { deadlineMs: 5000, what: "it to leave" });
  assert.equal(registry.neededFrom(HOUR_MS), first);
  const back = await (await dump(run.port, { uuid: UUID, gtids: `${SOURCE}:1-6` })).count(3);
  await waitFor(() => registry.neededFrom(HOUR_MS) >= second!, {
    deadlineMs: 5000,
    what: "its place to move",
  });
  await leave(back);
  assert.equal(registry.neededFrom(HOUR_MS), second);
});

test("neededFrom does not remember a tool that reads to the end", async () => {
  await using run = await serve(twoFiles());
  const { registry } = run.server;
  const tool = await (await dump(run.port, { uuid: UUID, flags: 3 })).toEnd();
  assert.equal(tool.end, "EOF");
  await waitFor(() => registry.size === 0, { deadlineMs: 5000, what: "it to leave" });
  assert.equal(registry.neededFrom(HOUR_MS), Number.POSITIVE_INFINITY);
});

test("a server_uuid is taken over within one account; another account is refused and told", async () => {
  const lines: string[] = [];
  const logger: Logger = {
    ...silentLogger,
    error: (message, fields) => void lines.push(`${message} ${JSON.stringify(fields)}`),
    with: () => logger,
  };
  await using run = await serve(twoFiles(), { logger });
  const { registry } = run.server;
  const running = await (await dump(run.port, { uuid: UUID })).count(3);
  const theirs = { user: "other", fetchPublicKey: true };
  await assert.rejects(
    dump(run.port, { uuid: UUID, register: true }, theirs),
    /1105|in use by a replica of another account/,
  );
  const refused = await (await dump(run.port, { uuid: UUID }, theirs)).toEnd();
  assert.match(
    refused.end!,
    /^1105 .*another account, which goes on/,
    "not 1236: it may try again",
  );
  assert.equal(registry.size, 1);
  assert.equal(running.end, null);
  const [duplicate] = run.server.status().duplicateUuids;
  assert.equal(duplicate!.uuid, UUID);
  assert.equal(duplicate!.refused, true);
  assert.equal(duplicate!.times, 2);
  assert.equal(duplicate!.older, registry.list()[0]!.address);
  assert.match(duplicate!.newer, /^127\.0\.0\.1:\d+$/);
  assert.ok(lines[0]!.includes(duplicate!.older), "both addresses are in the log");
  // The same server_id without uuids, of two accounts: two tools that do not know of each other.
  const mine = await (await dump(run.port, { serverId: 9 })).count(3);
  const other = await (await dump(run.port, { serverId: 9 }, theirs)).count(3);
  assert.equal(mine.end, null);
  for (const one of [running, mine, other]) one.close();
});

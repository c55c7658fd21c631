/** Data directories that versions before this one wrote are opened, or refused by their format. */
import assert from "node:assert/strict";
import { open, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { describeStartError } from "../../../src/cli/start-error.ts";
import { FORMAT } from "../../../src/storage/format.ts";
import { copyDataDir, expectedFiles } from "../../fixtures/data-dirs/make.ts";
import { LocalNode } from "../../support/local-node.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { waitFor } from "../../support/wait-for.ts";

/** Each has a folder in test/fixtures/data-dirs. */
const KEPT = [4] as const;
/** Directories of these are kept to show that they are refused. */
const REFUSED = [2, 3] as const;
const FORMAT_AT = 8;
const HEADER_COPIES = [0, 4096];

test("formats: a directory of today's is kept", () => {
  assert.ok((KEPT as readonly number[]).includes(FORMAT), "run test/fixtures/data-dirs/make.ts");
});

for (const format of KEPT) {
  test(`formats: a directory of format ${format} is opened and gives its files byte for byte`, async () => {
    await using dir = await tempDir("format");
    const executed = await copyDataDir(format, dir.path);
    const expected = await expectedFiles(format);
    assert.ok(expected.size >= 2);
    for (const start of ["first", "second"]) {
      const local = await LocalNode.start({
        dataDir: dir.path,
        settings: { segmentBytes: 64 * 1024 },
      });
      try {
        // What stands behind the commit index that is stored is committed once it leads.
        await waitFor(() => local.node.gtid().executed === executed, {
          deadlineMs: 20_000,
          what: `${executed} at the ${start} start`,
        });
        const names = local.node.files().map(({ name }) => name);
        assert.deepEqual(names, [...expected.keys()], start);
        for (const [name, bytes] of expected)
          assert.ok(Buffer.from(await local.exportFile(name)).equals(bytes), `${start}: ${name}`);
        const { members, highestId, conf } = local.node.core.state;
        assert.deepEqual([...members.keys(), highestId], [1, 2, 2], "the change of members, too");
        assert.deepEqual([conf.voters, conf.learners], [[1], [2]]);
      } finally {
        await local.stop();
      }
    }
  });
}

for (const format of REFUSED) {
  test(`formats: a directory of format ${format} is refused, with what to do`, async () => {
    await using dir = await tempDir("format");
    await copyDataDir(format, dir.path);
    await assert.rejects(
      LocalNode.start({ dataDir: dir.path }),
      new RegExp(
        `manifest of format ${format}; this binraft knows format 4: .*start with an empty one`,
      ),
    );
  });
}

async function putFormat(
  file: string,
  positions: readonly number[],
  format: number,
): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, format, true);
    for (const at of positions) await handle.write(bytes, 0, 4, at);
  } finally {
    await handle.close();
  }
}

for (const format of [1, 99]) {
  for (const what of ["manifest", "segment"] as const) {
    test(`formats: a ${what} of format ${format} is refused by name, and is left as it was`, async () => {
      await using dir = await tempDir("format");
      await copyDataDir(FORMAT, dir.path);
      const segments = await readdir(path.join(dir.path, "log"));
      const files =
        what === "manifest" ? ["MANIFEST.0", "MANIFEST.1"] : segments.map((name) => `log/${name}`);
      for (const name of files) {
        const positions =
          what === "manifest" ? [FORMAT_AT] : HEADER_COPIES.map((at) => at + FORMAT_AT);
        await putFormat(path.join(dir.path, name), positions, format);
      }
      const images = async (): Promise<Buffer[]> =>
        Promise.all(files.map((name) => readFile(path.join(dir.path, name))));
      const before = await images();
      await assert.rejects(LocalNode.start({ dataDir: dir.path }), (error: Error) => {
        const told = describeStartError(error);
        assert.equal(told.code, "BR1202", error.stack);
        assert.equal(
          told.message,
          `The data directory has a ${what} of format ${format}; this binraft knows format ${FORMAT}: ` +
            (format < FORMAT
              ? "start it with the version that wrote it; or move the directory away and start with an empty one"
              : "start it with the version that wrote it, or a newer one"),
        );
        return true;
      });
      for (const [i, bytes] of (await images()).entries())
        assert.ok(bytes.equals(before[i]!), files[i]);
    });
  }
}

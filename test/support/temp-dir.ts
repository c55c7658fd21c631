/** Temporary folders of tests, removed by `await using` or at the end of a test's context. */
import * as fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";

export interface TempDir extends AsyncDisposable {
  readonly path: string;
  remove(): Promise<void>;
}

export async function tempDir(name = "test"): Promise<TempDir> {
  const made = await fs.mkdtemp(path.join(os.tmpdir(), `binraft-${name}-`));
  const remove = (): Promise<void> => fs.rm(made, { recursive: true, force: true, maxRetries: 3 });
  return { path: made, remove, [Symbol.asyncDispose]: remove };
}

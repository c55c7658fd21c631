/**
 * Loaded before each test file (test/run.ts): --test-force-exit ends the process while its last reports
 * may still wait for the pipe. A file whose report is cut off would be missing from the run.
 */
const exit = process.exit.bind(process);

function exitOnceWritten(code?: number | string | null): void {
  process.stdout.write("", () => exit(code));
}

process.exit = exitOnceWritten as typeof process.exit;

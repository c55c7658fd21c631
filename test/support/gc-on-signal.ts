/**
 * Loaded into a node that a test starts with `--expose-gc --import`: SIGUSR2 collects all garbage, so that its
 * resident memory is what it holds. Left alone, a heap that was large once stays so for minutes.
 */
const collect = (globalThis as { gc?: (options: object) => void }).gc;
process.on("SIGUSR2", () => collect?.({ type: "major", execution: "sync", flavor: "last-resort" }));

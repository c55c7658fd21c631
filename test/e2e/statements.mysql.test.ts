/**
 * What clients send besides dumps is answered as a real MySQL 9.7 answers it: both are asked the
 * same by the same client, as text and as prepared statements.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { connect, type MysqlClient } from "../../src/mysql/client.ts";
import { MysqlError } from "../../src/mysql/errors.ts";
import type { TextResult } from "../../src/mysql/result-set.ts";
import {
  CLIENT_STATEMENTS,
  EXPRESSIONS,
  FAILING_EXPRESSIONS,
} from "../support/client-statements.ts";
import {
  createSourceUser,
  LocalNode,
  SOURCE_USER,
  sourceSettings,
  testCertificate,
} from "../support/local-node.ts";

let source: MysqlServer;
let node: LocalNode;
let theirs: MysqlClient;
let ours: MysqlClient;
const platform = nodePlatform();

before(async () => {
  source = await MysqlServer.start({ serverId: 1 });
  await createSourceUser(source);
  // As of an account that may see whether a table is there.
  await source.exec("CREATE DATABASE d1");
  await source.exec(`GRANT SELECT ON *.* TO ${SOURCE_USER.user}`);
  node = await LocalNode.start({ source: sourceSettings(source) });
  await node.caughtUp(source);
  const mysql = { host: "127.0.0.1", port: source.port, ...SOURCE_USER };
  theirs = await connect({ ...mysql, tls: { mode: "disabled" }, fetchPublicKey: true }, platform);
  // What we say of text holds for the collation that a server has by itself.
  await theirs.query("SET NAMES utf8mb4 COLLATE utf8mb4_0900_ai_ci");
  const { cert } = await testCertificate();
  ours = await connect({ ...node.endpoint, tls: { mode: "verify-ca", ca: cert } }, platform);
});

after(async () => {
  theirs?.close();
  ours?.close();
  await node?.stop();
  await source?.remove();
});

async function ask(client: MysqlClient, statement: string): Promise<TextResult | number> {
  try {
    return await client.query(statement);
  } catch (error) {
    if (error instanceof MysqlError) return error.errno;
    throw error;
  }
}

function rowsOf(answer: TextResult | number): unknown {
  return typeof answer === "number" ? answer : answer.rows;
}

test("expressions: values, names and types of columns", async () => {
  const wrong: string[] = [];
  for (const [expression, want] of EXPRESSIONS) {
    const statement = `SELECT ${expression}`;
    const answers = [await ask(theirs, statement), await ask(ours, statement)];
    for (const answer of answers) {
      const got = JSON.stringify(rowsOf(answer));
      if (got !== JSON.stringify([[want]])) wrong.push(`${statement}: ${got}`);
    }
    const shapes = answers.map((answer) =>
      typeof answer === "number"
        ? ""
        : answer.columns.map(({ name, type }) => `${name} ${type}`).join(),
    );
    // The type of what is NULL by its arguments only is not worked out here.
    if (want !== null && shapes[0] !== shapes[1]) wrong.push(`${statement}: ${shapes.join(" | ")}`);
  }
  assert.deepEqual(wrong, []);
});

test("expressions that fail", async () => {
  const wrong: string[] = [];
  for (const [expression, want] of FAILING_EXPRESSIONS) {
    const statement = `SELECT ${expression}`;
    const errors = [rowsOf(await ask(theirs, statement)), rowsOf(await ask(ours, statement))];
    if (errors[0] !== want || errors[1] !== want) wrong.push(`${statement}: ${errors.join(" | ")}`);
  }
  assert.deepEqual(wrong, []);
});

test("what CDC clients and topology tools send", async () => {
  const different: string[] = [];
  for (const { statement, same } of CLIENT_STATEMENTS) {
    const [real, answer] = [await ask(theirs, statement), await ask(ours, statement)];
    if (typeof real === "number" || typeof answer === "number") {
      if (real !== answer) different.push(`${statement}: ${rowsOf(real)} | ${rowsOf(answer)}`);
      continue;
    }
    const seen = [real, answer].map(({ columns, rows }) => {
      const names = columns.map(({ name }) => name);
      return JSON.stringify(same === "rows" ? [names, rows] : names);
    });
    if (seen[0] !== seen[1]) different.push(`${statement}: ${seen.join(" | ")}`);
  }
  assert.deepEqual(different, []);
});

test("SHOW COLLATION and SHOW CHARACTER SET", async () => {
  for (const statement of [
    "SHOW COLLATION",
    "SHOW CHARACTER SET",
    "SHOW COLLATION LIKE 'utf8mb4\\_0900%'",
    "SHOW COLLATION WHERE Charset = 'utf8mb4' AND `Default` = 'Yes'",
    "SHOW CHARACTER SET WHERE Maxlen > 3",
  ]) {
    const [real, answer] = [await theirs.query(statement), await ours.query(statement)];
    const lines = ({ rows }: TextResult): string[] => rows.map((row) => row.join());
    const extra = lines(answer).filter((line, i) => line !== lines(real)[i]);
    assert.deepEqual(extra, [], statement);
    assert.equal(answer.rows.length, real.rows.length);
    const shape = ({ columns }: TextResult): unknown =>
      columns.map(({ name, type }) => [name, type]);
    assert.deepEqual(shape(answer), shape(real), statement);
  }
});

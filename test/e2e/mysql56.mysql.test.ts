/**
 * The oldest supported server at both ends: source 5.6 → replicas 5.6 and 9.7. It has no semi-sync
 * plugin and no TLS here; different versions are compared by ordered rows, not by CHECKSUM.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MysqlServer } from "../../demo/mysql/server.ts";
import { rawFiles } from "../../demo/mysqlbinlog.ts";
import { startReplica } from "../../demo/replica.ts";
import { ACCOUNT, LocalNode, SOURCE_USER, sourceSettings } from "../support/local-node.ts";
import { mysql56 } from "../support/mysql56.ts";
import { assertSameFiles } from "../support/same-files.ts";
import { waitFor } from "../support/wait-for.ts";

let source: MysqlServer;
let old: MysqlServer;
let young: MysqlServer;
let node: LocalNode;
const flavour = await mysql56();
const skip = flavour === null ? "MySQL 5.6 is not packaged for this machine" : false;

before(async () => {
  if (flavour === null) return;
  source = await MysqlServer.start({ serverId: 1, flavour });
  old = await MysqlServer.start({ serverId: 2, flavour });
  young = await MysqlServer.start({ serverId: 3 });
  await source.exec(
    `GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '${SOURCE_USER.user}'@'%' IDENTIFIED BY '${SOURCE_USER.password}'`,
  );
  // Grants to accounts are written in ways that 9.7 no longer knows: replicas begin behind them.
  await source.exec("RESET MASTER");
  await source.exec(`CREATE DATABASE shop;
CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, region VARCHAR(16), amount INT, note TEXT) CHARSET utf8;
CREATE TABLE shop.log (id INT PRIMARY KEY AUTO_INCREMENT, line VARCHAR(100)) ENGINE=MyISAM CHARSET utf8`);
  const settings = sourceSettings(source, { tls: "disabled", tlsCa: null, nativePassword: true });
  node = await LocalNode.start({ source: settings });
  await old.exec(
    `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${node.port}, MASTER_USER='${ACCOUNT.user}',
     MASTER_PASSWORD='${ACCOUNT.password}', MASTER_AUTO_POSITION=1, MASTER_CONNECT_RETRY=1; START SLAVE`,
  );
  await startReplica(young, node.endpoint);
});

after(async () => {
  await node?.stop();
  for (const server of [old, young, source]) await server?.remove();
});

async function rows(server: MysqlServer): Promise<string> {
  const orders = await server.query("SELECT id, region, amount, note FROM shop.orders ORDER BY id");
  const log = await server.query("SELECT id, line FROM shop.log ORDER BY id");
  return JSON.stringify([orders, log]);
}

async function allEqual(): Promise<void> {
  await node.caughtUp(source);
  const wanted = await source.value("SELECT @@GLOBAL.gtid_executed");
  const expected = await rows(source);
  for (const replica of [old, young]) {
    await waitFor(async () => (await replica.value("SELECT @@GLOBAL.gtid_executed")) === wanted, {
      deadlineMs: 60_000,
      what: `replica ${replica.serverId} to have ${wanted}`,
    }).catch(async (error: Error) => {
      const has = await replica.value("SELECT @@GLOBAL.gtid_executed");
      const errors = (await replica.errorLog())
        .split("\n")
        .filter((line) => line.includes("ERROR"));
      throw new Error(`${error.message}; it has ${has}; ${errors.slice(-3).join("; ")}`);
    });
    assert.equal(await rows(replica), expected, `replica ${replica.serverId}`);
  }
}

test("DML, DDL, MyISAM, savepoints, XA and an empty transaction arrive at 5.6 and 9.7", {
  skip,
}, async () => {
  const uuid = "aaaaaaaa-1111-2222-3333-444444444444";
  await source.exec(`
INSERT INTO shop.orders (region, amount, note) VALUES ('eu', 1, 'one'), ('us', 2, REPEAT('x', 5000));
BEGIN; UPDATE shop.orders SET amount = 7; SAVEPOINT a; DELETE FROM shop.orders; ROLLBACK TO a; COMMIT;
INSERT INTO shop.log (line) VALUES ('a'), ('b');
CREATE TABLE shop.t (a INT); ALTER TABLE shop.t ADD b INT; DROP TABLE shop.t;
XA START 'x'; INSERT INTO shop.orders (region) VALUES ('xa'); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x';
SET gtid_next = '${uuid}:1'; BEGIN; COMMIT; SET gtid_next = 'AUTOMATIC';
FLUSH LOGS;
SET SESSION binlog_format = STATEMENT; INSERT INTO shop.orders (region, amount) VALUES ('st', RAND() * 0 + 3); SET SESSION binlog_format = ROW`);
  await allEqual();
});

test("A restart of the source and of binraft, then the files equal the source's", {
  skip,
}, async () => {
  await source.restart();
  node = await node.restart();
  await source.exec("INSERT INTO shop.orders (region) VALUES ('after')");
  await allEqual();
  const names = (await source.query("SHOW BINARY LOGS")).map((row) => row[0]!);
  const kept = node.node.files().map((file) => file.name);
  const theirs = await rawFiles({ host: source.host, port: source.port, ...SOURCE_USER }, names, [
    "--ssl-mode=DISABLED",
  ]);
  assertSameFiles(await rawFiles(node.endpoint, kept), theirs);
});

test("Semi-sync with 5.6", { skip: "5.6 as packaged has no semi-sync plugin" }, () => {});

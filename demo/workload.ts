/**
 * Statements that use every way in which MySQL writes its binlog: formats, DDL, engines, XA,
 * tagged GTIDs, compression, large events, files. The demo mixes them; tests run them all.
 */
import type { MysqlServer } from "./mysql/server.ts";

export const SCHEMA = `
CREATE DATABASE IF NOT EXISTS shop;
CREATE TABLE IF NOT EXISTS shop.orders (
  id BIGINT PRIMARY KEY AUTO_INCREMENT, region VARCHAR(16), amount DECIMAL(12,2), note TEXT,
  placed TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6));
CREATE TABLE IF NOT EXISTS shop.traced (n BIGINT PRIMARY KEY, note VARCHAR(300));
CREATE TABLE IF NOT EXISTS shop.log (id BIGINT PRIMARY KEY AUTO_INCREMENT, line VARCHAR(200)) ENGINE=MyISAM;
CREATE TABLE IF NOT EXISTS shop.blobs (id BIGINT PRIMARY KEY AUTO_INCREMENT, data LONGBLOB)`;

/** A few transactions of the everyday kind. */
export function everyday(n: number): string {
  return `
INSERT INTO shop.orders (region, amount, note) VALUES ('eu', ${n}.50, REPEAT('a', ${50 + (n % 500)})), ('us', ${n}, NULL);
BEGIN;
INSERT INTO shop.orders (region, amount, note) VALUES ('ap', ${n % 7}, 'batch ${n}');
UPDATE shop.orders SET amount = amount + 1 WHERE id = ${1 + (n % 50)};
DELETE FROM shop.orders WHERE id = ${100_000 + n};
COMMIT`;
}

/** One of each kind; `n` keeps names apart when it runs again. */
export const KINDS: Readonly<Record<string, (n: number) => string>> = {
  ddl: (n) => `
CREATE TABLE shop.t${n} (id INT PRIMARY KEY, v JSON);
ALTER TABLE shop.t${n} ADD COLUMN w VARCHAR(30) DEFAULT 'x';
INSERT INTO shop.t${n} (id, v) VALUES (1, '{"a": [1, 2, 3]}');
CREATE TABLE shop.s${n} AS SELECT * FROM shop.t${n};
TRUNCATE TABLE shop.s${n};
RENAME TABLE shop.s${n} TO shop.r${n};
DROP TABLE shop.r${n}`,
  myisam: (n) => `
INSERT INTO shop.log (line) VALUES ('line ${n}'), ('second');
UPDATE shop.log SET line = REVERSE(line) ORDER BY id DESC LIMIT 30`,
  savepoint: (n) => `
BEGIN; INSERT INTO shop.orders (region, note) VALUES ('sp', '${n}'); SAVEPOINT a;
INSERT INTO shop.orders (region, note) VALUES ('gone', '${n}'); ROLLBACK TO a;
INSERT INTO shop.orders (region, note) VALUES ('kept', '${n}'); COMMIT`,
  xa: (n) => `
XA START 'x${n}'; INSERT INTO shop.orders (region) VALUES ('xa'); XA END 'x${n}'; XA PREPARE 'x${n}'; XA COMMIT 'x${n}';
XA START 'y${n}'; INSERT INTO shop.orders (region) VALUES ('xr'); XA END 'y${n}'; XA PREPARE 'y${n}'; XA ROLLBACK 'y${n}';
XA START 'z${n}'; INSERT INTO shop.orders (region) VALUES ('x1'); XA END 'z${n}'; XA COMMIT 'z${n}' ONE PHASE`,
  statement: (n) => `
SET SESSION binlog_format = STATEMENT;
SET @a = ${n};
INSERT INTO shop.orders (region, amount, note) VALUES ('st', @a, RAND());
INSERT INTO shop.orders (region, amount) SELECT 'cp', amount FROM shop.orders ORDER BY id LIMIT 1;
SET SESSION binlog_format = MIXED;
INSERT INTO shop.orders (region, note) VALUES ('mx', UUID());
INSERT INTO shop.orders (region, note) VALUES ('mx', 'plain');
SET SESSION binlog_format = ROW`,
  compressed: (n) => `
SET SESSION binlog_transaction_compression = ON;
INSERT INTO shop.orders (region, note) VALUES ('zs', REPEAT('compress me ', ${200 + (n % 2000)}));
SET SESSION binlog_transaction_compression = OFF`,
  tagged: (n) => `
SET gtid_next = 'AUTOMATIC:tag${n % 3}';
INSERT INTO shop.orders (region, note) VALUES ('tg', '${n}');
SET gtid_next = 'AUTOMATIC'`,
  account: (n) => `
CREATE USER 'u${n}'@'%' IDENTIFIED BY 'secret'; GRANT SELECT ON shop.* TO 'u${n}'@'%'; DROP USER 'u${n}'@'%'`,
  flush: () => "FLUSH BINARY LOGS",
};

/** Bytes of the insert's blob so that its rows event has exactly `eventBytes`. */
const ROWS_EVENT_OVERHEAD = 19 + 10 + 1 + 1 + 1 + 8 + 4 + 4;

/** A row whose WRITE_ROWS event has that size: the packet edges of the protocol are at 16 MiB. */
export async function insertEventOf(source: MysqlServer, eventBytes: number): Promise<void> {
  await source.exec(
    `INSERT INTO shop.blobs (data) VALUES (REPEAT('b', ${eventBytes - ROWS_EVENT_OVERHEAD}))`,
    120_000,
  );
}

/** LOAD DATA from a file that the server can read. */
export function loadData(file: string): string {
  return `LOAD DATA INFILE '${file}' INTO TABLE shop.orders FIELDS TERMINATED BY ',' (region, amount, note)`;
}

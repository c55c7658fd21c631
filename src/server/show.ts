/**
 * The SHOW statements that tools use to look at a source (manual, "SHOW Statements"). Columns and
 * their types are a 9.7 server's; the names that 9.7 dropped (SHOW MASTER STATUS, SHOW SLAVE
 * HOSTS, …) are answered too, since old replicas and tools know only those.
 */
import {
  bigIntColumn,
  type Column,
  intColumn,
  type Row,
  TYPE_STRING,
  textColumn,
} from "../mysql/result-set.ts";
import { showBinlogEvents } from "./binlog-events.ts";
import { CHARACTER_SETS, COLLATIONS } from "./collations.ts";
import { evaluate } from "./evaluate.ts";
import type { Scope } from "./evaluated.ts";
import { parseExpression } from "./expression.ts";
import { growingGtidText } from "./gtid-text.ts";
import { REPLICA_STATUS_COLUMNS } from "./replica-status-columns.ts";
import { fieldScope, type SelectResult } from "./select.ts";
import { isLike, type SqlCursor } from "./sql.ts";
import type { StatementContext } from "./statements.ts";
import { describeTable, showOfTable } from "./tables.ts";
import { truthOf } from "./value.ts";
import { allVariables, gtidVariable, withNewlines } from "./variables.ts";

type Show = (cursor: SqlCursor, context: StatementContext) => SelectResult | Promise<SelectResult>;

/** By the words behind SHOW. Longer ones come first. */
const TABLE: readonly (readonly [words: readonly string[], show: Show])[] = [
  [["BINARY", "LOG", "STATUS"], binaryLogStatus],
  [["MASTER", "STATUS"], binaryLogStatus],
  [["BINARY", "LOGS"], binaryLogs],
  [["MASTER", "LOGS"], binaryLogs],
  [["BINLOG", "EVENTS"], showBinlogEvents],
  [["REPLICAS"], replicas],
  [["SLAVE", "HOSTS"], replicas],
  [["REPLICA", "STATUS"], replicaStatus],
  [["SLAVE", "STATUS"], replicaStatus],
  [["ALL", "SLAVES", "STATUS"], replicaStatus],
  [["FULL", "PROCESSLIST"], processList],
  [["PROCESSLIST"], processList],
  [["GLOBAL", "VARIABLES"], variables],
  [["SESSION", "VARIABLES"], variables],
  [["VARIABLES"], variables],
  [["GLOBAL", "STATUS"], status],
  [["SESSION", "STATUS"], status],
  [["STATUS"], status],
  [["WARNINGS"], warnings],
  [["ERRORS"], warnings],
  [["DATABASES"], (cursor) => empty(cursor, "Database")],
  [["SCHEMAS"], (cursor) => empty(cursor, "Database")],
  [["TABLES"], (cursor) => empty(cursor, "Tables")],
  [["FULL", "TABLES"], (cursor) => empty(cursor, "Tables", "Table_type")],
  [["COLLATION"], collations],
  [["CHARACTER", "SET"], characterSets],
  [["CHARSET"], characterSets],
  [["CREATE", "TABLE"], describeTable],
  [["CREATE", "VIEW"], describeTable],
  [["FULL", "COLUMNS"], showOfTable],
  [["FULL", "FIELDS"], showOfTable],
  [["COLUMNS"], showOfTable],
  [["FIELDS"], showOfTable],
  [["INDEX"], showOfTable],
  [["INDEXES"], showOfTable],
  [["KEYS"], showOfTable],
  [["ENGINES"], engines],
  [["PLUGINS"], (cursor) => empty(cursor, "Name", "Status", "Type", "Library", "License")],
  [["GRANTS"], grants],
];

/** The word SHOW was taken. */
export async function runShow(cursor: SqlCursor, context: StatementContext): Promise<SelectResult> {
  for (const [words, show] of TABLE) {
    if (cursor.accept(...words)) return show(cursor, context);
  }
  return cursor.fail();
}

const positionColumn = (name: string): Column => bigIntColumn(name, 21, 0xa1);
const nameColumn = (name: string, length: number): Column => textColumn(name, length, 1);

async function binaryLogStatus(
  cursor: SqlCursor,
  context: StatementContext,
): Promise<SelectResult> {
  cursor.expectEnd();
  const columns = [
    nameColumn("File", 2048),
    positionColumn("Position"),
    nameColumn("Binlog_Do_DB", 1020),
    nameColumn("Binlog_Ignore_DB", 1020),
    nameColumn("Executed_Gtid_Set", 65_535),
  ];
  const file = context.stream.files.at(-1);
  if (file === undefined) return { columns, rows: [] };
  const executed = withNewlines(await growingGtidText(context.stream.executed, context.work));
  return { columns, rows: [[file.name, String(file.size), "", "", executed]] };
}

function binaryLogs(cursor: SqlCursor, context: StatementContext): SelectResult {
  cursor.expectEnd();
  return {
    columns: [
      nameColumn("Log_name", 1020),
      positionColumn("File_size"),
      nameColumn("Encrypted", 12),
    ],
    rows: context.stream.files.map((file) => [file.name, String(file.size), "No"]),
  };
}

function replicas(cursor: SqlCursor, context: StatementContext): SelectResult {
  cursor.expectEnd();
  return {
    columns: [
      intColumn("Server_Id", 11),
      nameColumn("Host", 1020),
      intColumn("Port", 8),
      intColumn("Source_Id", 11),
      nameColumn("Replica_UUID", 144),
    ],
    rows: context
      .registered()
      .map((replica) => [
        String(replica.serverId),
        replica.host,
        String(replica.port),
        String(context.serverId),
        replica.uuid,
      ]),
  };
}

/** No row, as from a source, unless the node shows its syncer here. */
function replicaStatus(cursor: SqlCursor, context: StatementContext): SelectResult {
  if (cursor.accept("FOR", "CHANNEL")) cursor.take();
  cursor.expectEnd();
  const columns = REPLICA_STATUS_COLUMNS.map(([name, type]) => {
    if (type === "text") return nameColumn(name, 2048);
    return type === "big" ? positionColumn(name) : intColumn(name);
  });
  const values = context.replicaStatus();
  if (values === null) return { columns, rows: [] };
  // Tools trip over NULLs: what is not known is empty, or 0.
  const row = REPLICA_STATUS_COLUMNS.map(
    ([name, type]) => values.get(name) ?? (type === "text" ? "" : "0"),
  );
  return { columns, rows: [row] };
}

function processList(cursor: SqlCursor, context: StatementContext): SelectResult {
  cursor.expectEnd();
  return {
    columns: [
      bigIntColumn("Id", 22),
      nameColumn("User", 128),
      nameColumn("Host", 1020),
      textColumn("db", 256),
      nameColumn("Command", 64),
      intColumn("Time", 8, 0x81),
      textColumn("State", 120),
      textColumn("Info", 400),
    ],
    rows: context
      .processes()
      .map((process) => [
        String(process.id),
        process.user,
        process.address,
        process.database === "" ? null : process.database,
        process.command,
        String(process.seconds),
        process.state,
        process.info,
      ]),
  };
}

async function variables(cursor: SqlCursor, context: StatementContext): Promise<SelectResult> {
  const all = await context.variables();
  const result = await nameValue(cursor, context, allVariables(all));
  const rows: Row[] = [];
  for (const row of result.rows) {
    const set = gtidVariable(row[0]!, all.stream);
    rows.push(
      set === null ? row : [row[0]!, withNewlines(await growingGtidText(set, context.work))],
    );
  }
  return { columns: result.columns, rows };
}

function status(cursor: SqlCursor, context: StatementContext): Promise<SelectResult> {
  const sorted = [...context.status()].sort(([a], [b]) => (a < b ? -1 : 1));
  return nameValue(cursor, context, sorted);
}

function nameValue(
  cursor: SqlCursor,
  context: StatementContext,
  rows: readonly Row[],
): Promise<SelectResult> {
  const columns = [textColumn("Variable_name", 256, 0x1001), textColumn("Value", 4096)];
  return filtered(cursor, context, { columns, rows });
}

/** LIKE a pattern for the first column, or WHERE with any expression over the columns. */
async function filtered(
  cursor: SqlCursor,
  context: StatementContext,
  { columns, rows }: SelectResult,
): Promise<SelectResult> {
  if (cursor.accept("LIKE")) {
    const pattern = cursor.string();
    cursor.expectEnd();
    context.work.spend(rows.length);
    return { columns, rows: rows.filter(([name]) => isLike(name ?? "", pattern)) };
  }
  const where = cursor.accept("WHERE") ? parseExpression(cursor) : null;
  cursor.expectEnd();
  if (where === null) return { columns, rows };
  const names = columns.map(({ name }) => name.toUpperCase());
  const scope = fieldScope(context);
  const kept: Row[] = [];
  for (const row of rows) {
    const values = new Map(names.map((name, i) => [name, row[i] ?? null] as const));
    const inRow: Scope = { ...scope, clause: "where clause", columns: values };
    if (truthOf((await evaluate(where, inRow)).value) === true) kept.push(row);
  }
  return { columns, rows: kept };
}

function collations(cursor: SqlCursor, context: StatementContext): Promise<SelectResult> {
  const columns = [
    nameColumn("Collation", 256),
    nameColumn("Charset", 256),
    bigIntColumn("Id", 20, 0xa1),
    nameColumn("Default", 12),
    nameColumn("Compiled", 12),
    intColumn("Sortlen", 10),
    { ...nameColumn("Pad_attribute", 36), type: TYPE_STRING },
  ];
  const rows = COLLATIONS.map(({ name, charset, id, isDefault, sortLength, padsSpace }) => [
    name,
    charset,
    String(id),
    isDefault ? "Yes" : "",
    "Yes",
    String(sortLength),
    padsSpace ? "PAD SPACE" : "NO PAD",
  ]);
  return filtered(cursor, context, { columns, rows });
}

function characterSets(cursor: SqlCursor, context: StatementContext): Promise<SelectResult> {
  const columns = [
    nameColumn("Charset", 256),
    nameColumn("Description", 8192),
    nameColumn("Default collation", 256),
    intColumn("Maxlen", 10),
  ];
  const rows = CHARACTER_SETS.map(({ name, description, defaultCollation, maxBytes }) => [
    name,
    description,
    defaultCollation,
    String(maxBytes),
  ]);
  return filtered(cursor, context, { columns, rows });
}

/** Nothing here warns. */
function warnings(cursor: SqlCursor): SelectResult {
  if (cursor.accept("LIMIT")) cursor.integer();
  cursor.expectEnd();
  const columns = [nameColumn("Level", 28), intColumn("Code", 5), nameColumn("Message", 2048)];
  return { columns, rows: [] };
}

/** There are no tables; what follows (LIKE, FROM) is not looked at. */
function empty(cursor: SqlCursor, ...columns: readonly string[]): SelectResult {
  while (!cursor.atEnd) cursor.take();
  return { columns: columns.map((name) => nameColumn(name, 256)), rows: [] };
}

function engines(cursor: SqlCursor): SelectResult {
  return empty(cursor, "Engine", "Support", "Comment", "Transactions", "XA", "Savepoints");
}

function grants(cursor: SqlCursor, context: StatementContext): SelectResult {
  if (cursor.accept("FOR")) {
    cursor.accept("CURRENT_USER");
    if (cursor.acceptSymbol("(")) cursor.expectSymbol(")");
  }
  cursor.expectEnd();
  const rows: Row[] = [
    [`GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO \`${context.account}\`@\`%\``],
  ];
  return { columns: [nameColumn(`Grants for ${context.account}@%`, 4096)], rows };
}

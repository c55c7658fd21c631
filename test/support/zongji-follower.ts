/**
 * A process that follows one server with a zongji (an npm package that reads row events) and builds
 * tables of what it is told. Says `ready` at the first event, and when the row of `orders` comes whose
 * region is "end", its rows as JSON. Its argument is a FollowerJob as JSON.
 */
import { pathToFileURL } from "node:url";

export interface FollowerJob {
  /** The module's main file. */
  readonly main: string;
  readonly server: { host: string; port: number; user: string; password: string };
  readonly file: string;
  readonly position: number;
  readonly serverId: number;
  /** Name of the table → its columns. */
  readonly tables: Readonly<Record<string, readonly string[]>>;
}

type Row = Readonly<Record<string, unknown>>;
interface RowsEvent {
  getEventName(): string;
  readonly tableId: number;
  readonly tableMap: Readonly<Record<number, { readonly tableName: string }>>;
  readonly rows: readonly (Row | { readonly before: Row; readonly after: Row })[];
}

const job = JSON.parse(process.argv[2] ?? "") as FollowerJob;
const { default: ZongJi } = await import(pathToFileURL(job.main).href);
const rows = new Map(Object.keys(job.tables).map((name) => [name, new Map<string, Row>()]));
const zongji = new ZongJi(job.server);

zongji.on("error", (error: Error) => {
  console.error(error);
  process.exit(1);
});
let isReady = false;
zongji.on("binlog", (event: RowsEvent) => {
  if (!isReady) console.log("ready");
  isReady = true;
  const kind = event.getEventName();
  if (!["writerows", "updaterows", "deleterows"].includes(kind)) return;
  const name = event.tableMap[event.tableId]!.tableName;
  const table = rows.get(name);
  if (table === undefined) return;
  for (const row of event.rows) {
    const [before, after] =
      "after" in row ? [row.before as Row, row.after as Row] : [row as Row, row as Row];
    if (kind !== "writerows") table.delete(String(before["id"]));
    if (kind !== "deleterows") table.set(String(after["id"]), after);
    if (name === "orders" && kind === "writerows" && after["region"] === "end") end();
  }
});
zongji.start({
  filename: job.file,
  position: job.position,
  serverId: job.serverId,
  includeSchema: { shop: Object.keys(job.tables) },
  includeEvents: ["rotate", "format", "tablemap", "writerows", "updaterows", "deleterows"],
});

function end(): void {
  const said = Object.entries(job.tables).map(([name, columns]) => [
    name,
    [...rows.get(name)!.values()].map((row) => columns.map((column) => row[column] ?? null)),
  ]);
  process.stdout.write(`${JSON.stringify(said)}\n`, () => process.exit(0));
}

/**
 * What is wrong with a source, in sentences (manual, "Replication and Binary Logging Options",
 * "Semisynchronous Replication"). `fail` would make replication wrong or impossible, `warn` makes
 * the promise weaker than it could be.
 */

import { parseFileName } from "../binlog/file-view.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { MysqlClient } from "../mysql/client.ts";
import { MysqlError } from "../mysql/errors.ts";
import { SOURCE_VALUE_NAMES, type SourceValues, sourceValuesOf } from "../mysql/source-values.ts";
import { type SourceCheck, type SourceConfig, SyncerStop } from "./host.ts";

export interface SourceFacts {
  readonly version: string;
  readonly uuid: string;
  readonly serverId: number;
  /** Executed, and transactions that wait for an ACK: they are in the log already. */
  readonly executed: GtidSet;
  readonly purged: GtidSet;
  /** The semi-sync source plugin is installed. */
  readonly semiSync: boolean;
  /** What nodes show in its place. */
  readonly values: SourceValues;
  readonly checks: readonly SourceCheck[];
}

const HOUR_MS = 3_600_000;
const UUID_AHEAD = /(?=[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:)/g;

const SEMI_SYNC = ["enabled", "wait_point", "timeout"];

/** All short ones that are looked at; the value of a long one would be cut off at 1024 characters. */
const VARIABLES = [
  "version",
  "server_uuid",
  "server_id",
  "gtid_mode",
  "log_bin",
  "binlog_checksum",
  "sync_binlog",
  ...SEMI_SYNC.flatMap((name) => [`rpl_semi_sync_source_${name}`, `rpl_semi_sync_master_${name}`]),
  ...SOURCE_VALUE_NAMES,
];

/** What the server has of them, asked at once: from another continent each question takes long. */
async function readVariables(
  client: MysqlClient,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const names = wanted.map((name) => `'${name}'`).join(", ");
  const { rows } = await client.execute(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names})`);
  return new Map(rows.map((row) => [row["Variable_name"] ?? "", row["Value"] ?? ""]));
}

/** Read again while a pull runs: somebody may have said SET GLOBAL. */
export async function readSourceValues(client: MysqlClient): Promise<SourceValues> {
  return sourceValuesOf(await readVariables(client, SOURCE_VALUE_NAMES));
}

export function serverErrno(error: unknown): number {
  if (error instanceof MysqlError) return error.errno;
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof MysqlError ? cause.errno : 0;
}

export async function readFacts(client: MysqlClient, config: SourceConfig): Promise<SourceFacts> {
  const checks: SourceCheck[] = [];
  const add = (name: string, level: SourceCheck["level"], message: string): void => {
    checks.push({ name, level, message });
  };
  const must = (name: string, good: boolean, seen: string, message: string): void =>
    add(name, good ? "ok" : "fail", good ? `${name} is ${seen}` : message);
  const should = (name: string, good: boolean, seen: string, message: string): void =>
    add(name, good ? "ok" : "warn", good ? `${name} is ${seen}` : message);

  const variables = await readVariables(client, VARIABLES);
  const version = variables.get("version") ?? client.serverVersion;
  const uuid = (variables.get("server_uuid") ?? "").toLowerCase();
  must(
    "server_uuid",
    uuid !== "",
    uuid,
    `The source has no server_uuid: it is not MySQL 5.6 or newer (${version})`,
  );
  const serverId = Number(variables.get("server_id") ?? 0);
  must(
    "server_id",
    serverId !== 0 && serverId !== config.serverId,
    String(serverId),
    serverId === 0
      ? "The source's server_id is 0: set one, it cannot serve replicas without"
      : `The source's server_id ${serverId} is also ours: set another source.server_id`,
  );
  const gtidMode = variables.get("gtid_mode") ?? "OFF";
  must(
    "gtid_mode",
    gtidMode === "ON",
    gtidMode,
    `gtid_mode is ${gtidMode}: set it to ON on the source`,
  );
  const logBin = variables.get("log_bin") ?? "0";
  must(
    "log_bin",
    logBin === "1" || logBin === "ON",
    "on",
    "The source writes no binary log: start it with log_bin",
  );
  const format = variables.get("binlog_format") ?? "ROW";
  should(
    "binlog_format",
    format === "ROW",
    format,
    `binlog_format is ${format}: it works, but ROW is what replicas apply safely`,
  );
  const image = variables.get("binlog_row_image") ?? "FULL";
  should(
    "binlog_row_image",
    image === "FULL",
    image,
    `binlog_row_image is ${image}: it works, but consumers that read row events may need FULL`,
  );
  const checksum = variables.get("binlog_checksum") ?? "NONE";
  should(
    "binlog_checksum",
    checksum === "CRC32",
    checksum,
    `binlog_checksum is ${checksum}: damage on the way is found only by TCP; set it to CRC32`,
  );
  const syncBinlog = variables.get("sync_binlog") ?? "0";
  should(
    "sync_binlog",
    syncBinlog === "1",
    syncBinlog,
    `sync_binlog is ${syncBinlog}: after a power loss the source may forget transactions that replicas have; set it to 1`,
  );

  const plugin = semiSyncPlugin(variables);
  if (config.semiSync) checkSemiSync(variables, plugin, should, add);
  const { purged, executed } = await gtidSets(client);
  return {
    version,
    uuid,
    serverId,
    executed,
    purged,
    semiSync: plugin !== null,
    values: sourceValuesOf(variables),
    checks,
  };
}

/** "source" or, of older servers, "master"; null when the plugin is not installed. */
function semiSyncPlugin(variables: ReadonlyMap<string, string>): "source" | "master" | null {
  const has = (name: string): boolean => variables.has(`rpl_semi_sync_${name}_enabled`);
  return has("source") ? "source" : has("master") ? "master" : null;
}

function checkSemiSync(
  variables: ReadonlyMap<string, string>,
  plugin: "source" | "master" | null,
  should: (name: string, good: boolean, seen: string, message: string) => void,
  add: (name: string, level: SourceCheck["level"], message: string) => void,
): void {
  if (plugin === null) {
    add(
      "semi_sync",
      "warn",
      "The source has no semi-sync plugin: commits do not wait for binraft. INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
    );
    return;
  }
  const prefix = `rpl_semi_sync_${plugin}`;
  const get = (name: string): string => variables.get(`${prefix}_${name}`) ?? "";
  const enabled = get("enabled");
  should(
    `${prefix}_enabled`,
    enabled === "ON",
    "on",
    `${prefix}_enabled is off: commits do not wait for binraft; SET GLOBAL ${prefix}_enabled = ON`,
  );
  const waitPoint = get("wait_point");
  should(
    `${prefix}_wait_point`,
    waitPoint === "AFTER_SYNC" || waitPoint === "",
    waitPoint,
    `${prefix}_wait_point is ${waitPoint}: others may see a commit before it is safe; set it to AFTER_SYNC`,
  );
  const timeoutMs = Number(get("timeout"));
  should(
    `${prefix}_timeout`,
    timeoutMs >= HOUR_MS,
    `${timeoutMs} ms`,
    `${prefix}_timeout is ${timeoutMs} ms: after that the source goes on without an ACK and says so nowhere but in its log; set it to an hour or more`,
  );
}

/** Whole, however long; none when the server does not know one of them. */
async function globals(
  client: MysqlClient,
  ...names: readonly string[]
): Promise<Readonly<Record<string, string | null>>> {
  try {
    const list = names.map((name) => `@@GLOBAL.${name} AS ${name}`).join(", ");
    return (await client.execute(`SELECT ${list}`)).rows[0] ?? {};
  } catch (error) {
    if (serverErrno(error) === 1193) return {};
    throw error;
  }
}

/**
 * A transaction that waits for its ACK is in the log and not in gtid_executed: its session still
 * owns the GTID. Owned is read first, so that none slips from one to the other unseen.
 */
export async function gtidSets(
  client: MysqlClient,
): Promise<{ executed: GtidSet; purged: GtidSet }> {
  const owned = (await globals(client, "gtid_owned"))["gtid_owned"] ?? "";
  const sets = await globals(client, "gtid_executed", "gtid_purged");
  const executed = GtidSet.parse(sets["gtid_executed"] ?? "");
  const purged = GtidSet.parse(sets["gtid_purged"] ?? "");
  executed.addSet(parseOwned(owned));
  return { executed, purged };
}

/**
 * "uuid:7#11:6#10uuid:tag:1#9": each number with the thread that owns it, and between two sids
 * nothing at all. A uuid is found by its shape: its first eight digits may look like a thread's.
 */
export function parseOwned(text: string): GtidSet {
  const separated = text.replaceAll(UUID_AHEAD, ",").replace(/^,/, "");
  return GtidSet.parse(separated.replaceAll(/#[0-9]+/g, ""));
}

/**
 * The oldest binlog file. Asked for only by an empty log: SHOW BINARY LOGS waits for a FLUSH that
 * waits for sessions that wait for our ACK, so an attach that asked it could wait for ever.
 */
export async function oldestFile(client: MysqlClient): Promise<string> {
  try {
    const rows = (await client.execute("SHOW BINARY LOGS")).rows;
    const names = rows.map((row) => row["Log_name"] ?? "");
    names.sort((a, b) => (parseFileName(a)?.number ?? 0) - (parseFileName(b)?.number ?? 0));
    return names[0] ?? "";
  } catch (error) {
    if (serverErrno(error) !== 1227) throw error;
    throw new SyncerStop(
      "REFUSED",
      "The user lacks REPLICATION CLIENT on the source",
      "on the source: GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO the user; then binraft syncer start",
    );
  }
}

/**
 * Whether the user may pull, as far as it can see itself: what it has by a role is not in SHOW GRANTS, so who has
 * roles is believed.
 */
export async function privilegeCheck(client: MysqlClient): Promise<SourceCheck> {
  const { rows } = await client.execute("SHOW GRANTS");
  const grants = rows.flatMap((row) => Object.values(row).map((grant) => grant ?? ""));
  const everywhere = grants.filter((grant) => / ON \*\.\* TO /.test(grant));
  const has = (privilege: string): boolean =>
    everywhere.some((grant) => grant.includes(privilege) || grant.startsWith("GRANT ALL "));
  const hasRoles = grants.some((grant) => !/ ON /.test(grant));
  const missing = ["REPLICATION SLAVE", "REPLICATION CLIENT"].filter((one) => !has(one));
  if (missing.length === 0 || hasRoles)
    return { name: "privileges", level: "ok", message: "The user may pull the binary log" };
  return {
    name: "privileges",
    level: "fail",
    message: `The user lacks ${missing.join(" and ")}; on the source: GRANT ${missing.join(", ")} ON *.* TO the user`,
  };
}

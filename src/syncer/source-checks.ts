/**
 * What is wrong with a source, in sentences (manual, "Replication and Binary Logging Options",
 * "Semisynchronous Replication"). `fail` would make replication wrong or impossible, `warn` makes
 * the promise weaker than it could be.
 */

import { parseFileName } from "../binlog/file-view.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { MysqlClient } from "../mysql/client.ts";
import { MysqlError } from "../mysql/errors.ts";
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
  readonly checksum: "NONE" | "CRC32";
  readonly checks: readonly SourceCheck[];
}

const HOUR_MS = 3_600_000;
const UUID_AHEAD = /(?=[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:)/g;

/** Null when the server has no such variable. */
async function variable(client: MysqlClient, name: string): Promise<string | null> {
  try {
    const result = await client.execute(`SELECT @@GLOBAL.${name} AS v`);
    return result.rows[0]?.["v"] ?? "";
  } catch (error) {
    const code = serverErrno(error);
    if (code === 1193) return null;
    throw error;
  }
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

  const version = (await variable(client, "version")) ?? client.serverVersion;
  const uuid = ((await variable(client, "server_uuid")) ?? "").toLowerCase();
  must(
    "server_uuid",
    uuid !== "",
    uuid,
    `The source has no server_uuid: it is not MySQL 5.6 or newer (${version})`,
  );
  const serverId = Number((await variable(client, "server_id")) ?? 0);
  must(
    "server_id",
    serverId !== 0 && serverId !== config.serverId,
    String(serverId),
    serverId === 0
      ? "The source's server_id is 0: set one, it cannot serve replicas without"
      : `The source's server_id ${serverId} is also ours: set another source.server_id`,
  );
  const gtidMode = (await variable(client, "gtid_mode")) ?? "OFF";
  must(
    "gtid_mode",
    gtidMode === "ON",
    gtidMode,
    `gtid_mode is ${gtidMode}: set it to ON on the source`,
  );
  const logBin = (await variable(client, "log_bin")) ?? "0";
  must(
    "log_bin",
    logBin === "1" || logBin === "ON",
    "on",
    "The source writes no binary log: start it with log_bin",
  );
  const format = (await variable(client, "binlog_format")) ?? "ROW";
  should(
    "binlog_format",
    format === "ROW",
    format,
    `binlog_format is ${format}: it works, but ROW is what replicas apply safely`,
  );
  const image = (await variable(client, "binlog_row_image")) ?? "FULL";
  should(
    "binlog_row_image",
    image === "FULL",
    image,
    `binlog_row_image is ${image}: it works, but consumers that read row events may need FULL`,
  );
  const checksum = (await variable(client, "binlog_checksum")) ?? "NONE";
  should(
    "binlog_checksum",
    checksum === "CRC32",
    checksum,
    `binlog_checksum is ${checksum}: damage on the way is found only by TCP; set it to CRC32`,
  );
  const syncBinlog = (await variable(client, "sync_binlog")) ?? "0";
  should(
    "sync_binlog",
    syncBinlog === "1",
    syncBinlog,
    `sync_binlog is ${syncBinlog}: after a power loss the source may forget transactions that replicas have; set it to 1`,
  );

  const plugin = await semiSyncPlugin(client);
  if (config.semiSync) await checkSemiSync(client, plugin, should, add);
  const { purged, executed } = await gtidSets(client);
  return {
    version,
    uuid,
    serverId,
    executed,
    purged,
    semiSync: plugin !== null,
    checksum: checksum === "CRC32" ? "CRC32" : "NONE",
    checks,
  };
}

/** "source" or, of older servers, "master"; null when the plugin is not installed. */
async function semiSyncPlugin(client: MysqlClient): Promise<"source" | "master" | null> {
  for (const name of ["source", "master"] as const) {
    if ((await variable(client, `rpl_semi_sync_${name}_enabled`)) !== null) return name;
  }
  return null;
}

async function checkSemiSync(
  client: MysqlClient,
  plugin: "source" | "master" | null,
  should: (name: string, good: boolean, seen: string, message: string) => void,
  add: (name: string, level: SourceCheck["level"], message: string) => void,
): Promise<void> {
  if (plugin === null) {
    add(
      "semi_sync",
      "warn",
      "The source has no semi-sync plugin: commits do not wait for binraft. INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
    );
    return;
  }
  const prefix = `rpl_semi_sync_${plugin}`;
  const get = async (name: string): Promise<string> =>
    (await variable(client, `${prefix}_${name}`)) ?? "";
  const enabled = await get("enabled");
  should(
    `${prefix}_enabled`,
    enabled === "1",
    "on",
    `${prefix}_enabled is off: commits do not wait for binraft; SET GLOBAL ${prefix}_enabled = ON`,
  );
  const waitPoint = await get("wait_point");
  should(
    `${prefix}_wait_point`,
    waitPoint === "AFTER_SYNC" || waitPoint === "",
    waitPoint,
    `${prefix}_wait_point is ${waitPoint}: others may see a commit before it is safe; set it to AFTER_SYNC`,
  );
  const timeoutMs = Number(await get("timeout"));
  should(
    `${prefix}_timeout`,
    timeoutMs >= HOUR_MS,
    `${timeoutMs} ms`,
    `${prefix}_timeout is ${timeoutMs} ms: after that the source goes on without an ACK and says so nowhere but in its log; set it to an hour or more`,
  );
  const others = await otherSemiSyncClients(client, prefix);
  should(
    `${prefix}_clients`,
    others <= 1,
    String(others),
    `The source has ${others} semi-sync replicas: an ACK of another one would do instead of ours; set rpl_semi_sync_replica_enabled = OFF there`,
  );
}

async function otherSemiSyncClients(client: MysqlClient, prefix: string): Promise<number> {
  const status = prefix[0]!.toUpperCase() + prefix.slice(1);
  const result = await client.execute(`SHOW GLOBAL STATUS LIKE '${status}_clients'`);
  return Number(result.rows[0]?.["Value"] ?? 0);
}

/**
 * A transaction that waits for its ACK is in the log and not in gtid_executed: its session still
 * owns the GTID. Owned is read first, so that none slips from one to the other unseen.
 */
export async function gtidSets(
  client: MysqlClient,
): Promise<{ executed: GtidSet; purged: GtidSet }> {
  const owned = (await variable(client, "gtid_owned")) ?? "";
  const executed = GtidSet.parse((await variable(client, "gtid_executed")) ?? "");
  const purged = GtidSet.parse((await variable(client, "gtid_purged")) ?? "");
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

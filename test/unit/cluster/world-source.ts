/**
 * A source on the simulated network: answers what the syncer asks, and dumps one file that it
 * made. No SQL, no log of its own: what it has is what the test says.
 */
import type { Machine, World } from "../../../runtime/memory/world.ts";
import { fakeRotate, heartbeat } from "../../../src/binlog/control-events.ts";
import { EventType, eventType } from "../../../src/binlog/event.ts";
import type { SourceSettings } from "../../../src/cluster/command.ts";
import { uuidFromBytes } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { createVerifiers } from "../../../src/mysql/auth/verifier.ts";
import { type BinlogDumpGtid, decodeCommand } from "../../../src/mysql/commands.ts";
import { PacketConnection } from "../../../src/mysql/connection.ts";
import { syntaxError, unknownVariable } from "../../../src/mysql/errors.ts";
import { encodeEof, encodeErr, encodeOk } from "../../../src/mysql/response.ts";
import { encodeResultSet, textColumn } from "../../../src/mysql/result-set.ts";
import { acceptLogin } from "../../../src/mysql/server-handshake.ts";
import { delay } from "../../../src/platform/clock.ts";
import type { Conn } from "../../../src/platform/net.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { withSemiSync } from "../../support/binlog-files.ts";
import { nodeCrc32 } from "../../support/crc.ts";
import { FileMaker } from "../server/make-file.ts";

const FILE = "binlog.000001";
const USER = "puller";
const PASSWORD = "secret";
const BEAT_MS = 5_000;

export class WorldSource {
  readonly machine: Machine;
  readonly uuid: string;
  readonly variables: Map<string, string>;
  /** Answers SHOW GLOBAL STATUS. */
  readonly status: Map<string, string> = new Map();
  readonly statements: string[] = [];
  readonly #platform: Platform;
  readonly #file: FileMaker;
  #connections = 0;

  private constructor(world: World, name: string, uuid: string, purged: string) {
    this.machine = world.machine(name);
    this.#platform = this.machine.start();
    this.uuid = uuid;
    this.#file = new FileMaker(purged);
    this.variables = new Map([
      ["version", "9.7.0"],
      ["server_uuid", uuid],
      ["server_id", "1"],
      ["gtid_mode", "ON"],
      ["log_bin", "1"],
      ["binlog_format", "ROW"],
      ["binlog_row_image", "FULL"],
      ["binlog_checksum", "CRC32"],
      ["sync_binlog", "1"],
      ["gtid_owned", ""],
      ["gtid_executed", purged],
      ["gtid_purged", purged],
    ]);
  }

  /** `purged`: it has executed it, and no longer has it. */
  static async start(
    world: World,
    name: string,
    uuid: string,
    purged: string,
  ): Promise<WorldSource> {
    const source = new WorldSource(world, name, uuid, purged);
    const address = { host: source.machine.address, port: 3306 };
    await source.#platform.net.listen(address, (conn) => {
      source.#serve(conn).catch(() => conn.destroy());
    });
    return source;
  }

  /** As the node is told to pull from it; the node's environment is to hold the password. */
  settings(machine: Machine): SourceSettings {
    machine.process.env["SOURCE_PASSWORD"] = PASSWORD;
    return {
      host: this.machine.address,
      port: 3306,
      user: USER,
      passwordRef: "env:SOURCE_PASSWORD",
      tls: "disabled",
      tlsCa: null,
      tlsCert: null,
      tlsKey: null,
      publicKeyFile: null,
      semiSync: true,
      serverId: 4000,
      nativePassword: true,
    };
  }

  /** Commits it before anybody connects: a dump that runs does not show it. */
  commit(uuid: string, gno: number): this {
    this.#file.transaction({ uuid, gno });
    const executed = GtidSet.parse(this.variables.get("gtid_executed")!);
    executed.add(uuid, BigInt(gno));
    this.variables.set("gtid_executed", executed.toString());
    return this;
  }

  /** The plugin is there and on. */
  offerSemiSync(side: "source" | "master"): this {
    this.variables.set(`rpl_semi_sync_${side}_enabled`, "1");
    this.variables.set(`rpl_semi_sync_${side}_wait_point`, "AFTER_SYNC");
    this.variables.set(`rpl_semi_sync_${side}_timeout`, "3600000");
    for (const [name, value] of [
      ["clients", "1"],
      ["status", "ON"],
      ["no_tx", "0"],
    ] as const) {
      this.status.set(`Rpl_semi_sync_${side}_${name}`, value);
    }
    return this;
  }

  async #serve(conn: Conn): Promise<void> {
    const { crypto } = this.#platform;
    const connection = new PacketConnection(conn, { maxPayloadBytes: 65_536 });
    const verifiers = createVerifiers(crypto, PASSWORD, { native: true });
    const { capabilities } = await acceptLogin(
      connection,
      {
        serverVersion: "9.7.0",
        connectionId: ++this.#connections,
        findAccount: (user) => (user === USER ? { name: user, verifiers } : null),
        someNative: true,
        fakeSecret: new Uint8Array(32),
        tls: null,
        requireTls: false,
        rsaKey: null,
        compression: false,
        maxPayloadBytes: 1 << 20,
      },
      this.#platform,
    );
    let semiSync = false;
    for (;;) {
      const command = decodeCommand(await connection.readCommand(), capabilities);
      if (command.kind === "quit") return connection.end();
      if (command.kind === "binlog-dump-gtid") return this.#dump(connection, command, semiSync);
      if (command.kind === "query") {
        this.statements.push(command.sql);
        semiSync ||= command.sql.includes("@rpl_semi_sync_replica");
        connection.writePackets(this.#answer(command.sql, capabilities));
      } else connection.writePacket(encodeOk());
    }
  }

  #answer(sql: string, capabilities: number): Uint8Array[] {
    const table = (names: readonly string[], rows: readonly string[][]): Uint8Array[] =>
      encodeResultSet(
        names.map((name) => textColumn(name)),
        rows,
        capabilities,
      );
    if (sql.startsWith("SET ")) return [encodeOk()];
    if (sql === "SHOW BINARY LOGS") return table(["Log_name"], [[FILE]]);
    const variable = /^SELECT @@GLOBAL\.(\w+) AS v$/.exec(sql)?.[1];
    if (variable !== undefined) {
      const value = this.variables.get(variable);
      return value === undefined ? [encodeErr(unknownVariable(variable))] : table(["v"], [[value]]);
    }
    const like = /^SHOW GLOBAL STATUS LIKE '(\w+)%?'$/.exec(sql)?.[1];
    if (like === undefined) return [encodeErr(syntaxError(sql))];
    const rows = [...this.status].filter(([name]) => name.startsWith(like));
    return table(["Variable_name", "Value"], rows);
  }

  async #dump(
    connection: PacketConnection,
    command: BinlogDumpGtid,
    semiSync: boolean,
  ): Promise<void> {
    const send = (event: Uint8Array): void => {
      const body = semiSync ? withSemiSync(event, false) : event;
      const payload = new Uint8Array(body.length + 1);
      payload.set(body, 1);
      connection.writePacket(payload);
    };
    send(fakeRotate(FILE, 4, 1, nodeCrc32));
    let wanted = true;
    for (const event of this.#file.events) {
      if (eventType(event) === EventType.GTID) wanted = !hasGtid(command.gtids, event);
      if (wanted) send(event);
    }
    if ((command.flags & 1) !== 0) {
      connection.writePacket(encodeEof());
      return connection.end();
    }
    let gone = false;
    void connection.closed.then(() => {
      gone = true;
    });
    while (!gone) {
      await delay(this.#platform.clock, BEAT_MS);
      send(heartbeat(2, FILE, this.#file.size, 1, nodeCrc32));
    }
  }
}

/** Whether the set holds what begins with this GTID event. */
function hasGtid(set: GtidSet, event: Uint8Array): boolean {
  const view = new DataView(event.buffer, event.byteOffset, event.length);
  return set.has(uuidFromBytes(event, 20), view.getBigUint64(36, true));
}

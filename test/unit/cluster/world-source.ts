/**
 * A source on the simulated network: answers what the syncer asks, dumps the files that it made, also
 * what is committed while a dump runs, and notes the ACKs that it gets. No SQL, no log of its own: what
 * it has is what the test says.
 */
import type { Machine, World } from "../../../runtime/memory/world.ts";
import { Wakeup } from "../../../src/base/service.ts";
import { previousGtidsBody } from "../../../src/binlog/control-events.ts";
import { parseFileName } from "../../../src/binlog/file-view.ts";
import type { SourceSettings } from "../../../src/cluster/command.ts";
import { decodeGtidSet } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { createVerifiers } from "../../../src/mysql/auth/verifier.ts";
import { decodeCommand } from "../../../src/mysql/commands.ts";
import { PacketConnection } from "../../../src/mysql/connection.ts";
import { encodeOk } from "../../../src/mysql/response.ts";
import type { SemiSyncAck } from "../../../src/mysql/semi-sync.ts";
import { acceptLogin } from "../../../src/mysql/server-handshake.ts";
import type { Conn } from "../../../src/platform/net.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { FileMaker, type MadeTransaction } from "../server/make-file.ts";
import { dump, readAcks } from "./world-dump.ts";
import { answerQuery } from "./world-source-sql.ts";

const USER = "puller";
const PASSWORD = "secret";

export interface SourceFile {
  readonly name: string;
  readonly maker: FileMaker;
}

/** What a source holds at some moment, to be put back to. */
export interface SourceCopy {
  readonly files: readonly SourceFile[];
  readonly executed: string;
  readonly purged: string;
}
const nameOf = (number: number): string => `binlog.${String(number).padStart(6, "0")}`;

export class WorldSource {
  readonly machine: Machine;
  readonly uuid: string;
  readonly variables: Map<string, string>;
  /** Answers SHOW GLOBAL STATUS. */
  readonly status: Map<string, string> = new Map();
  readonly statements: string[] = [];
  #platform: Platform;
  #files: SourceFile[];
  /** When something happened that a dump may be waiting for. */
  readonly changed: Wakeup = new Wakeup();
  readonly #dumps = new Set<PacketConnection>();
  #connections = 0;
  #seconds = 2_000;
  /** Called with each ACK of the dump connection, and with the machine that it came from. */
  onAck: (ack: SemiSyncAck, from: string) => void = () => {};
  /** An ACK that no source would understand. */
  onBrokenAck: (error: Error) => void = (error) => {
    throw error;
  };
  /** It tells who it is, and ends every dump before its first byte. */
  refuseDumps = false;
  /** How long to wait before each event of a dump; so a cut finds it inside a transaction. */
  eventDelayMs: (event: Uint8Array) => number = () => 0;

  private constructor(world: World, name: string, uuid: string, purged: string) {
    this.machine = world.machine(name);
    this.#platform = this.machine.start();
    this.uuid = uuid;
    this.#files = [{ name: nameOf(1), maker: new FileMaker(purged) }];
    this.variables = new Map([
      ["version", "9.7.0"],
      ["server_uuid", uuid],
      ["server_id", "1"],
      ["gtid_mode", "ON"],
      ["log_bin", "ON"],
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
    await source.#listen();
    return source;
  }

  async #listen(): Promise<void> {
    const address = { host: this.machine.address, port: 3306 };
    await this.#platform.net.listen(address, (conn) => {
      // What a refused login is told is still to be sent.
      this.#serve(conn).catch(() => conn.end());
    });
  }

  /** Its process dies, wherever it is in a dump; `recover` starts another one. */
  crash(): void {
    this.machine.kill();
    this.#dumps.clear();
  }

  async recover(): Promise<void> {
    this.#platform = this.machine.start();
    this.#begin();
    await this.#listen();
  }

  /** As the node is told to pull from it; the node's environment is to hold the password. */
  settings(machine: Machine): SourceSettings {
    machine.process.env["BINRAFT_SOURCE_PASSWORD"] = PASSWORD;
    return {
      host: this.machine.address,
      port: 3306,
      user: USER,
      passwordRef: "env:BINRAFT_SOURCE_PASSWORD",
      tls: "disabled",
      tlsCa: null,
      tlsCert: null,
      tlsKey: null,
      publicKeyFile: null,
      semiSync: true,
      serverId: 4000,
      nativePassword: true,
      keepConnection: true,
      region: null,
    };
  }

  /** What runs shows it, too. */
  commit(uuid: string, gno: number, bytes = 40, more: Partial<MadeTransaction> = {}): this {
    this.#newest.maker.transaction({ uuid, gno, bytes, ...more });
    const executed = GtidSet.parse(this.variables.get("gtid_executed")!);
    executed.add(uuid, BigInt(gno));
    this.variables.set("gtid_executed", executed.toString());
    this.changed.wake();
    return this;
  }

  /** FLUSH BINARY LOGS. */
  rotate(): this {
    this.#newest.maker.rotate(nameOf(this.#nextNumber));
    return this.#begin();
  }

  /** What a shutdown writes. */
  writeStop(): this {
    this.#newest.maker.stop();
    this.changed.wake();
    return this;
  }

  /** Shut down and started: the file before ends with a STOP. */
  stopAndStart(): this {
    return this.writeStop().restart();
  }

  /** As after a crash: a new file, and the one before just ends. */
  restart(): this {
    this.cutDumps();
    return this.#begin();
  }

  #begin(): this {
    const name = nameOf(this.#nextNumber);
    const previous = this.variables.get("gtid_executed")!;
    // No two files begin in the same second.
    this.#files.push({ name, maker: new FileMaker(previous, { timestamp: ++this.#seconds }) });
    this.changed.wake();
    return this;
  }

  get #nextNumber(): number {
    return parseFileName(this.#newest.name)!.number + 1;
  }

  /** PURGE BINARY LOGS TO the newest file. */
  purge(): this {
    this.#files = [this.#newest];
    const kept = decodeGtidSet(previousGtidsBody(this.#newest.maker.events[1]!, "CRC32"));
    this.variables.set("gtid_purged", kept.toString());
    return this;
  }

  copy(): SourceCopy {
    return {
      files: this.#files.map(({ name, maker }) => ({ name, maker: maker.copy() })),
      executed: this.variables.get("gtid_executed")!,
      purged: this.variables.get("gtid_purged")!,
    };
  }

  /** Stopped, put back to what it was then, and started: with a new file. */
  putBack(copy: SourceCopy): this {
    return this.putBackInFile(copy).restart();
  }

  /** The newest file of then goes on. */
  putBackInFile({ files, executed, purged }: SourceCopy): this {
    this.#files = files.map(({ name, maker }) => ({ name, maker: maker.copy() }));
    this.variables.set("gtid_executed", executed);
    this.variables.set("gtid_purged", purged);
    this.cutDumps();
    return this;
  }

  get #newest(): SourceFile {
    return this.#files[this.#files.length - 1]!;
  }

  get files(): readonly { readonly name: string; readonly bytes: Uint8Array }[] {
    return this.#files.map(({ name, maker }) => ({ name, bytes: maker.file }));
  }
  /** The same, as they are made. */
  get made(): readonly SourceFile[] {
    return this.#files;
  }
  /** Where the newest file ends. */
  get end(): SemiSyncAck {
    return { file: this.#newest.name, position: this.#newest.maker.size };
  }
  /** Events of the newest file between two positions. */
  eventsBetween(from: number, to: number): Uint8Array[] {
    let at = 4;
    return this.#newest.maker.events.filter((event) => {
      const inside = at >= from && at < to;
      at += event.length;
      return inside;
    });
  }
  get dumps(): number {
    return this.#dumps.size;
  }

  /** Ends the connections that are dumped to, wherever they are. */
  cutDumps(): void {
    for (const connection of this.#dumps) connection.destroy();
  }

  /** The plugin is there and on. */
  offerSemiSync(side: "source" | "master"): this {
    this.variables.set(`rpl_semi_sync_${side}_enabled`, "ON");
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

  /** As under a lock that each login and each question about variables needs. */
  #locked: Wakeup | null = null;
  lockOut(): void {
    this.#locked ??= new Wakeup();
  }
  letIn(): void {
    this.#locked?.wake();
    this.#locked = null;
  }

  /** Logged in, or about to be, and not dumped to. */
  readonly #idle = new Set<Conn>();
  cutIdle(): void {
    for (const conn of this.#idle) conn.destroy();
  }

  /** Connections so far, whether or not the login worked; and those that are open. */
  get connections(): number {
    return this.#connections;
  }
  open = 0;

  async #serve(conn: Conn): Promise<void> {
    this.open++;
    void conn.closed.then(() => this.open--);
    if (this.#locked !== null) await this.#locked.wait();
    this.#idle.add(conn);
    void conn.closed.then(() => this.#idle.delete(conn));
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
      if (command.kind === "binlog-dump-gtid" || command.kind === "binlog-dump") {
        if (this.refuseDumps) return connection.destroy();
        this.#dumps.add(connection);
        this.#idle.delete(conn);
        try {
          if (semiSync) void readAcks(this, connection, conn.peer.split(":")[0]!);
          return await dump(this, connection, command, semiSync, this.#platform);
        } finally {
          // Not destroyed: what its end says is still to be sent.
          this.#dumps.delete(connection);
        }
      }
      if (command.kind === "query") {
        this.statements.push(command.sql);
        if (this.#locked !== null && /GLOBAL/i.test(command.sql)) await this.#locked.wait();
        semiSync ||= command.sql.includes("@rpl_semi_sync_replica");
        connection.writePackets(answerQuery(command.sql, capabilities, this));
      } else {
        if (command.kind === "register-replica") await this.#locked?.wait();
        connection.writePacket(encodeOk());
      }
    }
  }
}

/** A binlog server on a loopback port over a stream in memory, and clients of our own. */

import { silentLogger } from "../../../src/base/logger.ts";
import { encodeGtidSet } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { type Account, createVerifiers } from "../../../src/mysql/auth/verifier.ts";
import { type ClientConfig, connect, type MysqlClient } from "../../../src/mysql/client.ts";
import { encodeDump, encodeDumpGtid, encodeRegister } from "../../../src/mysql/commands.ts";
import type { PacketConnection } from "../../../src/mysql/connection.ts";
import { decodeErr } from "../../../src/mysql/response.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { BinlogServer, type BinlogServerOptions } from "../../../src/server/server.ts";
import type { BinlogStream } from "../../../src/server/stream.ts";
import { thisPlatform } from "../../support/this-platform.ts";

export const platform = await thisPlatform();

/** The platform, and every delay that was asked of its clock: what was waited for, without a stopwatch. */
export function recordingPlatform(): { platform: Platform; asked: number[] } {
  const asked: number[] = [];
  const clock: Clock = {
    ...platform.clock,
    after(ms, fn) {
      asked.push(ms);
      return platform.clock.after(ms, fn);
    },
  };
  return { platform: { ...platform, clock }, asked };
}

export const accounts = new Map<string, Account>(
  ["repl", "other"].map((name) => [
    name,
    { name, verifiers: createVerifiers(platform.crypto, "secret", { native: name === "repl" }) },
  ]),
);

export interface Running extends AsyncDisposable {
  readonly server: BinlogServer;
  readonly port: number;
  stop(): Promise<void>;
}

export async function serve(
  stream: BinlogStream,
  options: Partial<BinlogServerOptions> = {},
): Promise<Running> {
  const server = new BinlogServer({
    platform,
    logger: silentLogger,
    stream,
    address: { host: "127.0.0.1", port: 0 },
    identity: { serverUuid: "99999999-0000-0000-0000-000000000001", serverId: 4001 },
    accounts: { find: (user) => accounts.get(user) ?? null, someNative: true },
    tls: null,
    requireTls: false,
    rsaKey: null,
    fakeSecret: new Uint8Array(32).fill(7),
    allowOriginServerIds: false,
    sourceValues: () => ({}),
    originServerIds: () => new Set([1]),
    isOnTimeline: async () => true,
    confirmMissing: async () => true,
    ...options,
  });
  const ending = new AbortController();
  const running = server.run(ending.signal);
  running.catch(() => {});
  const { port } = await Promise.race([
    server.listening(),
    running.then(() => Promise.reject(new Error("ended"))),
  ]);
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  return { server, port, stop, [Symbol.asyncDispose]: stop };
}

export function client(port: number, config: Partial<ClientConfig> = {}): Promise<MysqlClient> {
  return connect(
    {
      host: "127.0.0.1",
      port,
      user: "repl",
      password: "secret",
      tls: { mode: "disabled" },
      ...config,
    },
    platform,
  );
}

export interface Packet {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** What came of a dump: whole payloads, split ones joined. */
export class DumpReader {
  readonly connection: PacketConnection;
  readonly packets: Packet[] = [];
  /** ERR, EOF, or "closed". */
  end: string | null = null;
  #rest: Uint8Array = new Uint8Array(0);
  #expected = 1;
  #parts: Uint8Array[] = [];
  #checked: boolean;

  constructor(connection: PacketConnection, checked = true) {
    this.connection = connection;
    this.#checked = checked;
  }

  get events(): Uint8Array[] {
    return this.packets.map((packet) => packet.payload.subarray(1));
  }

  /** Reads until `done` holds, the end, or nothing more comes for `quietMs`. */
  async until(done: (reader: DumpReader) => boolean, deadlineMs = 5000): Promise<this> {
    const deadline = performance.now() + deadlineMs;
    while (this.end === null && !done(this)) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`dump: waited in vain, has ${this.packets.length} packets`);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<"late">((resolve) => {
        timer = setTimeout(() => resolve("late"), left);
      });
      this.#reading ??= this.connection.readStream();
      const bytes = await Promise.race([this.#reading, late]);
      clearTimeout(timer);
      if (bytes === "late") continue;
      this.#reading = null;
      if (bytes === null) this.end = "closed";
      else this.#take(bytes);
    }
    return this;
  }
  #reading: Promise<Uint8Array | null> | null = null;

  toEnd(deadlineMs?: number): Promise<this> {
    return this.until(() => false, deadlineMs);
  }

  async count(packets: number): Promise<this> {
    await this.until(() => this.packets.length >= packets);
    if (this.packets.length < packets) {
      throw new Error(`dump: ended after ${this.packets.length} packets: ${this.end}`);
    }
    return this;
  }

  #take(bytes: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 4) return;
      const length = rest[0]! | (rest[1]! << 8) | (rest[2]! << 16);
      if (rest.length < 4 + length) return;
      const sequence = rest[3]!;
      if (this.#checked && sequence !== this.#expected) {
        throw new Error(`packet number ${sequence}, not ${this.#expected}`);
      }
      this.#expected = (this.#expected + 1) & 0xff;
      this.#parts.push(rest.subarray(4, 4 + length));
      this.#rest = rest.subarray(4 + length);
      if (length === 0xffffff) continue;
      const payload = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
      this.#parts = [];
      if (payload[0] === 0xff) {
        const error = decodeErr(payload);
        this.end = `${error.errno} ${error.message}`;
        return;
      }
      if (payload[0] === 0xfe) {
        this.end = "EOF";
        return;
      }
      this.packets.push({ sequence, payload });
    }
  }

  close(): void {
    this.connection.destroy();
  }
}

export interface DumpSettings {
  readonly gtids?: string | null;
  readonly file?: string;
  readonly position?: number;
  readonly flags?: number;
  readonly serverId?: number;
  readonly uuid?: string;
  readonly checksum?: "CRC32" | "NONE" | null;
  readonly heartbeatMs?: number;
  readonly register?: boolean;
  readonly mariadb?: boolean;
}

/** Logs in as a replica would, with our client, and sends a dump command. */
export async function dump(
  port: number,
  settings: DumpSettings = {},
  config: Partial<ClientConfig> = {},
): Promise<DumpReader> {
  const { gtids = "", file = "", position = 4, flags = 2, serverId = 77, uuid = "" } = settings;
  const sql = await client(port, config);
  const { checksum = "CRC32", heartbeatMs = 0 } = settings;
  if (checksum !== null) await sql.query(`SET @source_binlog_checksum = '${checksum}'`);
  if (heartbeatMs > 0) await sql.query(`SET @source_heartbeat_period = ${heartbeatMs * 1e6}`);
  if (uuid !== "") await sql.query(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`);
  if (settings.mariadb) await sql.query("SET @mariadb_slave_capability=4");
  const { connection } = sql;
  if (settings.register) {
    connection.writeCommand(encodeRegister({ serverId, host: "", user: "", port: 0 }));
    const answer = await connection.readPacket();
    if (answer[0] === 0xff) throw decodeErr(answer);
  }
  connection.writeCommand(
    gtids === null
      ? encodeDump({ position, flags, serverId, file })
      : encodeDumpGtid({
          flags,
          serverId,
          file,
          position: BigInt(position),
          gtids: encodeGtidSet(GtidSet.parse(gtids), "auto"),
        }),
  );
  return new DumpReader(connection, config.compression === undefined);
}

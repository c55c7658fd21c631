/**
 * A replica on a simulated machine: follows one node by GTID, connects again when the link ends, and
 * has every transaction judged as it comes: by the line (line.ts), and that it is whole (B6). What a real
 * replica could not mend by itself must not happen to it (B7).
 */
import type { Machine } from "../../../runtime/memory/world.ts";
import { EventType, eventType } from "../../../src/binlog/event.ts";
import { encodeGtidSet, uuidFromBytes } from "../../../src/gtid/binary.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { connect, type MysqlClient } from "../../../src/mysql/client.ts";
import { encodeDumpGtid } from "../../../src/mysql/commands.ts";
import { decodeErr } from "../../../src/mysql/response.ts";
import { delay } from "../../../src/platform/clock.ts";
import type { Platform } from "../../../src/platform/platform.ts";
import { Violation } from "../ghost.ts";
import type { Line } from "./line.ts";

const RETRY_MS = 300;
const SILENCE_MS = 12_000;

export interface ReplicaSetup {
  readonly name: string;
  readonly uuid: string;
  readonly user: string;
  readonly password: string;
  /** The node to follow now. */
  readonly target: () => { readonly host: string; readonly port: number };
  readonly line: Line;
  /** Whether an operator has to copy the data anew, as what it lacks was purged or given up. */
  readonly mayLack: () => boolean;
  readonly broken: (error: Error) => void;
}

export class SimReplica {
  readonly #setup: ReplicaSetup;
  readonly #platform: Platform;
  #client: MysqlClient | null = null;
  /** So many transactions of the line it has, in the epoch that it follows. */
  at = 0;
  #epoch = 1;
  /** What it has, also what it did not get from here. */
  #set = new GtidSet();
  /** Why the last connection ended. */
  trouble = "";
  /** Error packets that would stop a real replica for good. */
  fatal = "";

  constructor(machine: Machine, setup: ReplicaSetup) {
    this.#setup = setup;
    this.#platform = machine.start();
    void this.#run();
  }

  /** B7: what would stop a real replica for good. */
  look(): void {
    if (this.fatal === "") return;
    if (this.#setup.mayLack()) this.#copyAnew();
    else this.#setup.broken(new Violation("B7", `a replica was told ${this.fatal}`));
  }

  /** What an operator does with one that cannot go on: a copy of the source's data. */
  #copyAnew(): void {
    const { line } = this.#setup;
    this.fatal = "";
    this.#epoch = line.epoch;
    this.at = line.length;
    this.#set = line.setOf(line.length);
    line.given = Math.max(line.given, this.at);
    this.cut();
  }

  /** It has all there is. */
  get isDone(): boolean {
    const { line } = this.#setup;
    return this.at === line.length && this.#epoch === line.epoch && this.fatal === "";
  }

  cut(): void {
    this.#client?.connection.destroy();
  }

  async #run(): Promise<void> {
    for (;;) {
      try {
        await this.#follow();
      } catch (error) {
        if (error instanceof Violation) return this.#setup.broken(error);
        this.trouble = (error as Error).message;
      }
      this.#client?.connection.destroy();
      this.#client = null;
      await delay(this.#platform.clock, RETRY_MS);
    }
  }

  async #follow(): Promise<void> {
    const { user, password, uuid, target, line } = this.#setup;
    if (this.#epoch !== line.epoch) this.#copyAnew();
    const tls = { mode: "disabled" } as const;
    const config = {
      ...target(),
      user,
      password,
      tls,
      nativePassword: true,
      connectTimeoutMs: 3_000,
    };
    const client = await connect(config, this.#platform);
    this.#client = client;
    await client.query(`SET @slave_uuid = '${uuid}', @replica_uuid = '${uuid}'`);
    await client.query("SET @source_binlog_checksum = 'CRC32'");
    await client.query(
      "SET @master_heartbeat_period = 4000000000, @source_heartbeat_period = 4000000000",
    );
    const gtids = encodeGtidSet(this.#set, "auto");
    client.connection.writeCommand(
      encodeDumpGtid({ flags: 0, serverId: 77, file: "", position: 4n, gtids }),
    );
    let open: Uint8Array[] | null = null;
    for (;;) {
      const cancel = this.#platform.clock.after(SILENCE_MS, () => client.connection.destroy());
      const packet = await client.connection.readPacket().finally(cancel);
      if (packet[0] === 0xff) {
        const { errno, message } = decodeErr(packet);
        // One of the timeline before is to be told that: it is built anew then.
        if (errno === 1236 && this.#epoch === line.epoch) this.fatal = message;
        throw new Error(message);
      }
      if (packet[0] !== 0) throw new Error("the dump ended");
      const event = packet.slice(1);
      const type = eventType(event);
      if (type === EventType.GTID) {
        if (open !== null) throw this.#violation("B6", "a transaction began inside another");
        open = [];
      }
      if (open === null) continue;
      // Padding between shared buffers.
      if (type === EventType.HEARTBEAT || type === 41) continue;
      open.push(event);
      if (type !== EventType.XID) continue;
      this.#take(open);
      open = null;
    }
  }

  #take(events: readonly Uint8Array[]): void {
    const { line } = this.#setup;
    // A node that has not applied the new timeline yet serves the old one.
    if (this.#epoch !== line.epoch) throw new Error("another timeline has begun");
    const first = events[0]!;
    const gno = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(36, true));
    const sid = uuidFromBytes(first, 20);
    line.judge(this.at, sid, gno, events);
    this.at++;
    this.#set.add(sid, BigInt(gno));
  }

  #violation(invariant: string, text: string): Violation {
    return new Violation(invariant, `${this.#setup.name}: ${text}`);
  }
}

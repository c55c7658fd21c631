/**
 * A replica on a simulated machine: follows one node by GTID, connects again when the link ends, and
 * judges every transaction as it comes: the source's bytes (B3), the next one in the source's order,
 * none twice and none left out (B4), whole or not at all (B6).
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

const RETRY_MS = 300;
const SILENCE_MS = 12_000;

export interface ReplicaSetup {
  readonly name: string;
  readonly uuid: string;
  readonly sourceUuid: string;
  readonly user: string;
  readonly password: string;
  /** The node to follow now. */
  readonly target: () => { readonly host: string; readonly port: number };
  /** The events of a transaction, as the source wrote them. */
  readonly eventsOf: (gno: number) => readonly Uint8Array[] | null;
  readonly received: (gno: number) => void;
  readonly broken: (error: Error) => void;
}

export class SimReplica {
  readonly #setup: ReplicaSetup;
  readonly #platform: Platform;
  #client: MysqlClient | null = null;
  /** The last transaction that it has; all before it, too. */
  last = 0;
  /** Why the last connection ended. */
  trouble = "";
  /** Error packets that would stop a real replica for good. */
  fatal = "";

  constructor(machine: Machine, setup: ReplicaSetup) {
    this.#setup = setup;
    this.#platform = machine.start();
    void this.#run();
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
    const { user, password, uuid, sourceUuid, target } = this.#setup;
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
    const set = new GtidSet();
    if (this.last > 0) set.add(sourceUuid, 1n, BigInt(this.last));
    const gtids = encodeGtidSet(set, "auto");
    client.connection.writeCommand(
      encodeDumpGtid({ flags: 0, serverId: 77, file: "", position: 4n, gtids }),
    );
    let open: Uint8Array[] | null = null;
    for (;;) {
      const cancel = this.#platform.clock.after(SILENCE_MS, () => client.connection.destroy());
      const packet = await client.connection.readPacket().finally(cancel);
      if (packet[0] === 0xff) {
        const { errno, message } = decodeErr(packet);
        if (errno === 1236) this.fatal = message;
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
    const first = events[0]!;
    const gno = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(36, true));
    if (uuidFromBytes(first, 20) !== this.#setup.sourceUuid)
      throw this.#violation("B3", "a foreign GTID");
    if (gno !== this.last + 1)
      throw this.#violation("B4", `transaction ${gno} came after ${this.last}`);
    const wanted = this.#setup.eventsOf(gno);
    if (wanted === null)
      throw this.#violation("B5", `transaction ${gno} was never committed at the source`);
    if (wanted.length !== events.length || wanted.some((event, at) => !equal(event, events[at]!)))
      throw this.#violation("B3", `transaction ${gno} has other bytes than the source's`);
    this.last = gno;
    this.#setup.received(gno);
  }

  #violation(invariant: string, text: string): Violation {
    return new Violation(invariant, `${this.#setup.name}: ${text}`);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

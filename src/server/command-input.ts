/**
 * The commands of one client, as they come in, within what it may hold and how long it may take:
 *
 *   idle            until the first byte of a command: hours, as wait_timeout
 *   half-sent       from the first byte to the last: a minute
 *   64 KiB          any command but one; a longer one is error 1153 and ends the connection
 *   16 MiB          COM_BINLOG_DUMP_GTID: a set of a million intervals. Counted before it is buffered
 *   large frames    of the compressed protocol are counted too, and decompressed off the event loop,
 *                   one at a time, whoever sends them
 */
import { COM_BINLOG_DUMP_GTID } from "../mysql/commands.ts";
import type { PacketConnection } from "../mysql/connection.ts";
import type { Clock } from "../platform/clock.ts";
import type { ClientShare } from "./client-budget.ts";
import type { LoopTurns } from "./loop-turns.ts";

export const COMMAND_MAX_BYTES: number = 64 * 1024;
export const GTID_DUMP_MAX_BYTES: number = 16 * 1024 * 1024;
/** While a client dumps it has next to nothing to say. */
const DUMP_FRAME_MAX_BYTES = 64 * 1024;

export interface CommandTimes {
  readonly clock: Clock;
  readonly idleTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

export class CommandInput {
  readonly #connection: PacketConnection;
  readonly #share: ClientShare;
  readonly #times: CommandTimes;
  #cancel: () => void = () => {};
  #begun = false;
  #heldBytes = 0;

  constructor(
    connection: PacketConnection,
    share: ClientShare,
    turns: LoopTurns,
    times: CommandTimes,
  ) {
    this.#connection = connection;
    this.#share = share;
    this.#times = times;
    const admit = (bytes: number): void => {
      share.hold(bytes);
      this.#heldBytes += bytes;
    };
    connection.largeCommand = {
      code: COM_BINLOG_DUMP_GTID,
      maxBytes: GTID_DUMP_MAX_BYTES,
      admit,
    };
    connection.inputGuard = {
      partArrived: () => this.#partArrived(),
      admitFrame: admit,
      aroundLargeFrame: (unpack) => turns.alone(unpack),
    };
  }

  /** The next command. Rejects with ConnectionLost, MalformedBytes, or the MysqlError of the budget. */
  async read(): Promise<Uint8Array> {
    const { clock, idleTimeoutMs } = this.#times;
    this.#begun = false;
    this.#cancel = clock.after(idleTimeoutMs, () => this.#connection.destroy());
    try {
      return await this.#connection.readCommand();
    } finally {
      this.#cancel();
      this.#begun = true;
    }
  }

  /** What the last command held while it came in is no longer needed. */
  release(): void {
    this.#share.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** From now on only a few bytes may come. */
  beginDump(): void {
    this.#connection.maxFrameBytes = DUMP_FRAME_MAX_BYTES;
  }

  #partArrived(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#cancel();
    const { clock, commandTimeoutMs } = this.#times;
    this.#cancel = clock.after(commandTimeoutMs, () => this.#connection.destroy());
  }
}

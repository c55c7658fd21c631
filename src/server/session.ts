/**
 * One client after its login: reads commands and answers them until it leaves or begins a dump
 * (manual, "Command Phase"). Whatever a client sends ends at most its own connection.
 */
import { encodeText, MalformedBytes } from "../base/bytes.ts";
import { type Logger, printable } from "../base/logger.ts";
import { decodeGtidSetInSteps, MalformedGtidSet } from "../gtid/binary.ts";
import {
  type BinlogDump,
  type BinlogDumpGtid,
  COM_BINLOG_DUMP_GTID,
  type Command,
  decodeCommand,
  decodeGtidDumpHead,
  type RegisterReplica,
} from "../mysql/commands.ts";
import { ConnectionLost, type PacketConnection } from "../mysql/connection.ts";
import {
  isMalformed,
  MysqlError,
  malformedGtidSet,
  otherError,
  packetsOutOfOrder,
  packetTooLarge,
  unknownCommand,
  unknownThread,
} from "../mysql/errors.ts";
import { PacketTooLarge, PayloadRefused } from "../mysql/packet.ts";
import { encodeErr, encodeOk, encodeResultEnd } from "../mysql/response.ts";
import type { ServerLogin } from "../mysql/server-handshake.ts";
import { delay } from "../platform/clock.ts";
import type { ClientShare } from "./client-budget.ts";
import { CommandInput } from "./command-input.ts";
import { Dump, type StopReason } from "./dump.ts";
import { dumpOptions } from "./dump-options.ts";
import { SessionStatements } from "./session-statements.ts";
import type { ServerShared } from "./shared.ts";
import type { ProcessInfo, RegisteredReplica } from "./statements.ts";
import { ClientGone, Work } from "./work.ts";

/** What a client may send while it dumps: COM_QUIT, and ACKs of clients that believe in semi-sync. */
const MAX_DUMP_INPUT_BYTES = 16 * 1024 * 1024;
/** What a connection costs before it has said anything. */
const CONNECTION_BYTES = 16 * 1024;
/** A GTID set in memory, for each byte that was sent of it. */
const SET_BYTES_PER_BYTE = 4;
/** Reading an interval of a set, finding the start with it, and collecting it afterwards. */
const UNITS_PER_INTERVAL = 5;
const INTERVAL_BYTES = 16;

export class ClientSession {
  readonly id: number;
  readonly login: ServerLogin;
  readonly #shared: ServerShared;
  readonly #connection: PacketConnection;
  readonly #logger: Logger;
  readonly #share: ClientShare;
  readonly #input: CommandInput;
  readonly #statements: SessionStatements;
  readonly #closed = new AbortController();
  #replica: RegisterReplica | null = null;
  #dump: Dump | null = null;
  #command = "Sleep";
  #info: string | null = null;
  #sinceMs: number;
  #stopping = false;
  #busy = false;

  constructor(
    id: number,
    login: ServerLogin,
    connection: PacketConnection,
    share: ClientShare,
    shared: ServerShared,
  ) {
    this.id = id;
    this.login = login;
    this.#shared = shared;
    this.#connection = connection;
    this.#share = share;
    const { idleTimeoutMs, commandTimeoutMs } = shared;
    const times = { clock: shared.platform.clock, idleTimeoutMs, commandTimeoutMs };
    this.#input = new CommandInput(connection, share, shared.turns, times);
    this.#sinceMs = shared.platform.clock.mono();
    this.#logger = shared.logger.with({
      connection: id,
      peer: connection.peer,
      account: login.account.name,
    });
    void connection.closed.then(() => this.#closed.abort());
    this.#statements = new SessionStatements({
      id,
      login,
      connection,
      share,
      shared,
      closed: this.#closed.signal,
      isStopping: () => this.#stopping,
      kill: (connectionId) => this.#kill(connectionId),
    });
  }

  get dump(): Dump | null {
    return this.#dump;
  }

  async run(): Promise<void> {
    try {
      this.#share.hold(CONNECTION_BYTES);
      while (!this.#closed.signal.aborted && !this.#stopping) {
        if (!(await this.#turn())) return;
        // Pipelined commands are answered one in each turn of the event loop.
        await this.#shared.turns.soon();
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#connection.end();
    }
  }

  /** One command. False when it was the last. */
  async #turn(): Promise<boolean> {
    const payload = await this.#readCommand();
    if (payload === null) return true;
    this.#busy = true;
    this.#sinceMs = this.#shared.platform.clock.mono();
    this.#shared.counters.commands++;
    try {
      await this.#waitForTurn();
      return await this.#run(await this.#decode(payload));
    } catch (error) {
      if (!(error instanceof MysqlError)) throw error;
      this.#connection.writePacket(encodeErr(error));
      return !isMalformed(error);
    } finally {
      this.#input.release();
      this.#busy = false;
      this.#command = "Sleep";
      this.#info = null;
      this.#sinceMs = this.#shared.platform.clock.mono();
    }
  }

  /** Null when it was refused for its length, which the client was told. */
  async #readCommand(): Promise<Uint8Array | null> {
    try {
      return await this.#input.read();
    } catch (error) {
      if (!(error instanceof PayloadRefused)) throw error;
      const { reason } = error;
      const told = reason instanceof MysqlError ? reason : packetTooLarge();
      this.#connection.writePacket(encodeErr(told));
      this.#input.release();
      return null;
    }
  }

  /** An account that has spent too much lately waits before its next command. */
  async #waitForTurn(): Promise<void> {
    const waitMs = this.#shared.rates.delayMs(this.login.account.name);
    if (waitMs > 0) await delay(this.#shared.platform.clock, waitMs, this.#closed.signal);
  }

  async #decode(payload: Uint8Array): Promise<Command> {
    if (payload[0] !== COM_BINLOG_DUMP_GTID) return decodeCommand(payload, this.login.capabilities);
    const { set, ...head } = decodeGtidDumpHead(payload);
    // For as long as the dump lives, which needs the set.
    this.#share.hold(SET_BYTES_PER_BYTE * set.length);
    const { turns, rates, platform } = this.#shared;
    const pace = { rates, clock: platform.clock, closed: this.#closed.signal };
    const work = new Work(this.login.account.name, turns, this.#share, pace);
    try {
      await work.prepay((UNITS_PER_INTERVAL * set.length) / INTERVAL_BYTES);
      const steps = decodeGtidSetInSteps(set);
      for (;;) {
        const step = steps.next();
        if (step.done) return { ...head, gtids: step.value };
        await work.turn();
      }
    } catch (error) {
      if (error instanceof MalformedGtidSet) throw malformedGtidSet();
      throw error;
    } finally {
      work.end();
      this.#input.release();
    }
  }

  async #run(command: Command): Promise<boolean> {
    const { capabilities } = this.login;
    const { prepared } = this.#statements;
    this.#command = "Query";
    switch (command.kind) {
      case "quit":
        return false;
      case "ping":
        this.#ok();
        return true;
      case "query":
        this.#info = printable(command.sql, 400);
        await this.#statements.query(command.sql);
        return true;
      case "init-db":
        this.#statements.database = printable(command.database, 64);
        this.#ok();
        return true;
      case "statistics":
        this.#connection.writePacket(encodeText(this.#shared.statistics()));
        return true;
      case "field-list":
      case "set-option":
        this.#connection.writePacket(encodeResultEnd(capabilities));
        return true;
      case "reset-connection":
        this.#statements.reset();
        this.#replica = null;
        this.#ok();
        return true;
      case "kill":
        this.#kill(command.connectionId);
        this.#ok();
        return true;
      case "register-replica":
        this.#register(command);
        return true;
      case "binlog-dump":
      case "binlog-dump-gtid":
        await this.#runDump(command);
        return false;
      case "prepare":
        this.#info = printable(command.sql, 400);
        await this.#statements.prepare(command.sql);
        return true;
      case "execute":
        await this.#statements.execute(command);
        return true;
      case "long-data":
        prepared.sendLongData(command.statementId, command.parameter, command.bytes);
        return true;
      case "close-statement":
        prepared.close(command.statementId);
        return true;
      case "reset-statement":
        prepared.reset(command.statementId);
        this.#ok();
        return true;
      case "change-user":
        // A second login on one connection is refused, and whoever tries is sent away.
        this.#connection.writePacket(encodeErr(unknownCommand()));
        return false;
      case "unknown":
        throw unknownCommand();
    }
  }

  #ok(): void {
    this.#connection.writePacket(encodeOk());
  }

  /** Only connections of the same account: there are no administrators here. */
  #kill(id: number): void {
    const session = this.#shared.session(id);
    if (session === null || session.login.account.name !== this.login.account.name) {
      throw unknownThread(String(id));
    }
    if (session === this) this.#stopping = true;
    else session.close();
  }

  #register(command: RegisterReplica): void {
    const refusal = this.#shared.refusal();
    if (refusal !== null) throw otherError(refusal);
    this.#shared.checkServerId(command.serverId);
    this.#shared.registry.checkOwner({
      uuid: printable(this.#statements.user.replicaUuid, 64),
      account: this.login.account.name,
      address: this.#connection.peer,
    });
    this.#replica = command;
    this.#ok();
  }

  async #runDump(command: BinlogDump | BinlogDumpGtid): Promise<void> {
    const shared = this.#shared;
    // Nothing that can pass is told with 1236: a close makes the replica try again.
    if (this.#stopping || shared.refusal() !== null) {
      this.#connection.destroy();
      return;
    }
    const dump = new Dump(
      this.#connection,
      dumpOptions(command, this.#statements.user, shared.identity.serverId),
      {
        platform: shared.platform,
        logger: this.#logger,
        stream: shared.stream,
        signal: shared.signal,
        formats: shared.formats,
        copies: shared.copies,
        turns: shared.turns,
        writeTimeoutMs: shared.writeTimeoutMs,
        confirmMissing: (what) => shared.confirmMissing(what),
      },
    );
    this.#dump = dump;
    this.#command = command.kind === "binlog-dump" ? "Binlog Dump" : "Binlog Dump GTID";
    shared.counters.dumps++;
    try {
      this.#input.beginDump();
      void this.#watchInput();
      await shared.registry.enter(
        {
          connectionId: this.id,
          serverId: command.serverId,
          uuid: printable(this.#statements.user.replicaUuid, 64),
          address: this.#connection.peer,
          account: this.login.account.name,
          attributes: this.login.attributes,
          reportHost: printable(this.#replica?.host ?? "", 255),
          reportPort: this.#replica?.port ?? 0,
          tls: this.login.tls !== null,
          compression: this.login.compression,
          sinceMs: shared.platform.clock.wall(),
          dump,
        },
        this.#closed.signal,
      );
      const end = await dump.run();
      this.#logger.info("Dump ended", { end, sentBytes: dump.sentBytes });
    } finally {
      shared.counters.bytesSent += dump.sentBytes;
      shared.registry.leave(this.id);
      this.#dump = null;
    }
  }

  /** A client in a dump has nothing to say; reading finds out that it left, and bounds what it sends. */
  async #watchInput(): Promise<void> {
    let bytes = 0;
    try {
      for (;;) {
        const input = await this.#connection.readStream();
        // The peer's end, or our own: what was sent last may still be on its way, so no destroy.
        if (input === null) return;
        bytes += input.length;
        if (bytes > MAX_DUMP_INPUT_BYTES) break;
      }
    } catch {
      // Malformed, or gone: the same end.
    }
    this.#connection.destroy();
  }

  /** Ends it now, a dump at the end of its transaction. */
  close(graceMs?: number, reason: StopReason = "close"): void {
    this.#stopping = true;
    if (this.#dump !== null) this.#dump.stop(reason, graceMs);
    else if (!this.#busy) this.#connection.end();
    else void this.#shared.platform.clock.after(graceMs ?? 2_000, () => this.#connection.destroy());
  }

  destroy(): void {
    this.#stopping = true;
    this.#connection.destroy();
  }

  get process(): ProcessInfo {
    const dump = this.#dump;
    let state = this.#command === "Sleep" ? "" : "executing";
    if (dump !== null) {
      state = dump.caughtUp
        ? "Source has sent all binlog to replica; waiting for more updates"
        : "Sending binlog event to replica";
    }
    return {
      id: this.id,
      user: this.login.account.name,
      address: this.#connection.peer,
      database: this.#statements.database,
      command: this.#command,
      seconds: Math.floor((this.#shared.platform.clock.mono() - this.#sinceMs) / 1000),
      state,
      info: this.#info,
    };
  }

  get registered(): RegisteredReplica | null {
    const replica = this.#replica;
    if (replica === null) return null;
    const host = printable(replica.host, 255);
    const uuid = printable(this.#statements.user.replicaUuid, 64);
    return { serverId: replica.serverId, uuid, host, port: replica.port };
  }

  #fail(error: unknown): void {
    if (error instanceof PacketTooLarge) this.#lastWords(packetTooLarge());
    else if (error instanceof MysqlError) this.#lastWords(error);
    else if (error instanceof MalformedBytes) this.#lastWords(packetsOutOfOrder());
    else if (error instanceof ConnectionLost || error instanceof ClientGone) return;
    else if (!this.#closed.signal.aborted) {
      const message = error instanceof Error ? error.message : String(error);
      this.#logger.error("Connection ends with an unexpected error", {
        error: printable(message),
      });
      this.#lastWords(otherError("Internal error: see the log of binraft"));
    }
  }

  #lastWords(error: MysqlError): void {
    if (this.#dump === null) this.#connection.writePacket(encodeErr(error));
  }
}

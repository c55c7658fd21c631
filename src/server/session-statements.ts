/**
 * The statements of one session, plain and prepared: runs them within their budget (work.ts),
 * sends what they give, and keeps what belongs to the session: its variables, its prepared
 * statements and the name of its database.
 */
import { printable } from "../base/logger.ts";
import type { Command } from "../mysql/commands.ts";
import type { PacketConnection } from "../mysql/connection.ts";
import { encodeBinaryResultSet, encodePrepared } from "../mysql/prepared.ts";
import { encodeOk } from "../mysql/response.ts";
import { encodeResultSet } from "../mysql/result-set.ts";
import type { ServerLogin } from "../mysql/server-handshake.ts";
import { hostOf } from "./address-key.ts";
import { sendAnswer } from "./answers.ts";
import type { ClientShare } from "./client-budget.ts";
import { PreparedStatements } from "./prepared-statements.ts";
import type { ServerShared } from "./shared.ts";
import { describeStatement, runStatement, type StatementContext } from "./statements.ts";
import { UserVariables } from "./user-variables.ts";
import type { Value } from "./value.ts";
import { Work } from "./work.ts";

type Execution = Extract<Command, { kind: "execute" }>;

export interface SessionParts {
  readonly id: number;
  readonly login: ServerLogin;
  readonly connection: PacketConnection;
  readonly share: ClientShare;
  readonly shared: ServerShared;
  /** Aborts when the client is gone. */
  readonly closed: AbortSignal;
  isStopping(): boolean;
  kill(connectionId: number): void;
}

export class SessionStatements {
  readonly user: UserVariables;
  readonly prepared: PreparedStatements;
  database: string;
  readonly #parts: SessionParts;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.user = new UserVariables(parts.share);
    this.prepared = new PreparedStatements(parts.share);
    this.database = printable(parts.login.database, 64);
  }

  query(sql: string): Promise<void> {
    return this.#run(sql, null);
  }

  execute({ statementId, flags, rest }: Execution): Promise<void> {
    const { capabilities } = this.#parts.login;
    const { sql, values } = this.prepared.bind(statementId, flags, rest, capabilities);
    return this.#run(sql, values);
  }

  /** As COM_RESET_CONNECTION wants it. */
  reset(): void {
    this.user.clear();
    this.prepared.clear();
  }

  /** `parameters` of a prepared statement, whose rows are binary; null for a plain query. */
  #run(sql: string, parameters: readonly Value[] | null): Promise<void> {
    return this.#working(async (work) => {
      const result = await runStatement(sql, this.#context(work, { parameters }));
      if (result === null) {
        this.#parts.connection.writePacket(encodeOk());
        return;
      }
      const { columns, rows } = result;
      const encode = parameters === null ? encodeResultSet : encodeBinaryResultSet;
      await this.#answer(encode(columns, rows, this.#parts.login.capabilities));
    });
  }

  prepare(sql: string): Promise<void> {
    return this.#working(async (work) => {
      const context = this.#context(work, { parameters: [], describing: true });
      const { columns, parameters } = await describeStatement(sql, context);
      const id = this.prepared.add(sql, parameters);
      await this.#answer(encodePrepared(id, parameters, columns, this.#parts.login.capabilities));
    });
  }

  async #working(run: (work: Work) => Promise<void>): Promise<void> {
    const account = this.#parts.login.account.name;
    const { closed, share, shared } = this.#parts;
    const { turns, rates, platform } = shared;
    const work = new Work(account, turns, share, { rates, clock: platform.clock, closed });
    try {
      await run(work);
    } finally {
      work.end();
    }
  }

  #answer(packets: readonly Uint8Array[]): Promise<void> {
    const { turns, platform, writeTimeoutMs } = this.#parts.shared;
    const times = { clock: platform.clock, writeTimeoutMs };
    return sendAnswer(this.#parts.connection, packets, { share: this.#parts.share, turns, times });
  }

  #context(
    work: Work,
    {
      parameters,
      describing = false,
    }: { parameters: readonly Value[] | null; describing?: boolean },
  ): StatementContext {
    const shared = this.#parts.shared;
    const { platform, logger, stream, formats } = shared;
    return {
      platform,
      logger,
      stream,
      formats,
      version: shared.version(),
      serverId: shared.identity.serverId,
      connectionId: this.#parts.id,
      account: this.#parts.login.account.name,
      host: hostOf(this.#parts.connection.peer),
      database: this.database,
      user: this.user,
      work,
      parameters,
      describing,
      useDatabase: (name) => {
        this.database = printable(name, 64);
      },
      variables: () => shared.variables(),
      status: () => shared.status(this.#parts.connection.tls),
      processes: () => shared.processes(),
      registered: () => shared.registered(),
      replicaStatus: () => shared.replicaStatus(),
      kill: (id) => this.#parts.kill(id),
      waitUntil: (condition, ms) => this.#waitUntil(condition, ms),
    };
  }

  #waitUntil(condition: () => boolean, ms: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    const { closed, isStopping } = this.#parts;
    const { signal, platform } = this.#parts.shared;
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        signal.delete(advanced);
        closed.removeEventListener("abort", done);
        resolve(condition());
      };
      const advanced = (): void => {
        if (isStopping() || condition()) done();
      };
      const cancel = platform.clock.after(ms, done);
      signal.add(advanced);
      closed.addEventListener("abort", done, { once: true });
    });
  }
}

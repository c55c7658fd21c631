/**
 * Work that statements and commands may cost, counted and not timed, so that the same statement
 * has the same fate on any machine. One unit is about 100 ns: one byte of GTID text that is
 * parsed, one interval that a set operation looks at, or a sixteenth of a byte that is copied.
 *
 *   Work       one statement or command: a limit, and a turn of the event loop every 2 ms or so
 *   WorkRates  an account: what it spent drains with time; who is deep in debt waits before the
 *              next command and between the pieces of this one, so that no account has more than a
 *              tenth of a core for long, however many statements it runs at once
 *
 * Nothing is worked out for a client that is gone.
 */
import { type MysqlError, resourceExceeded } from "../mysql/errors.ts";
import { type Clock, delay } from "../platform/clock.ts";
import type { ClientShare } from "./client-budget.ts";
import type { LoopTurns } from "./loop-turns.ts";

/** About 0.8 s of one core, spread over many turns. A set operation on 800,000 intervals costs a tenth. */
const STATEMENT_MAX_UNITS = 8_000_000;
/** Between two turns of the event loop: about 2 ms. */
const TURN_UNITS = 20_000;
const LONG_TEXT = 4096;

/** What an account may owe without waiting, and how fast that drains. */
const FREE_DEBT_UNITS = 2_000_000;
const DRAIN_UNITS_PER_MS = 1_000;
const MAX_WAIT_MS = 5_000;
/** Where others of the account keep it in debt. */
const MAX_PREPAY_WAIT_MS = 30_000;
const MAX_ACCOUNTS = 1024;

/** Whose work it is, beside others of the same account. */
export interface WorkPace {
  readonly rates: WorkRates;
  readonly clock: Clock;
  readonly closed: AbortSignal;
}

/** The client has left before its statement came to its end. */
export class ClientGone extends Error {
  constructor() {
    super("The client is gone");
    this.name = "ClientGone";
  }
}

export class Work {
  readonly #account: string;
  readonly #turns: LoopTurns;
  readonly #share: Pick<ClientShare, "hold" | "release">;
  readonly #pace: WorkPace | null;
  #sinceTurn = 0;
  #heldBytes = 0;
  spentUnits = 0;
  #chargedUnits = 0;
  #isPrepaid = false;

  constructor(
    account: string,
    turns: LoopTurns,
    share: Pick<ClientShare, "hold" | "release">,
    pace: WorkPace | null = null,
  ) {
    this.#account = account;
    this.#turns = turns;
    this.#share = share;
    this.#pace = pace;
  }

  /** Call it before the work is done. Throws 1226 when it is more than one statement may cost. */
  spend(units: number): void {
    this.spentUnits += units;
    this.#sinceTurn += units;
    if (this.spentUnits > STATEMENT_MAX_UNITS) {
      throw this.exceeded("statement_work", Math.ceil(this.spentUnits));
    }
  }

  /** Error 1226 for this statement's account. */
  exceeded(resource: string, value: number): MysqlError {
    return resourceExceeded(this.#account, resource, value);
  }

  /** For text that is made or looked through. What is long is held until the end. */
  spendText(length: number): void {
    this.spend(1 + length / 16);
    if (length > LONG_TEXT) this.hold(2 * length);
  }

  hold(bytes: number): void {
    this.#share.hold(bytes);
    this.#heldBytes += bytes;
  }

  /** The statement is answered: nothing of it is kept. */
  end(): void {
    this.#charge();
    this.#share.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Between two pieces of work: lets others run when enough was done. */
  async pause(): Promise<void> {
    if (this.#sinceTurn >= TURN_UNITS) await this.turn();
  }

  /**
   * For work whose cost is known beforehand and that holds much while it is done: it begins when the account
   * owes little, so that of many only one or two are under way, and then waits no more. Rejects with ClientGone.
   */
  async prepay(units: number): Promise<void> {
    if (this.#pace !== null) {
      const { rates, clock, closed } = this.#pace;
      const endMs = clock.mono() + MAX_PREPAY_WAIT_MS;
      for (;;) {
        const waitMs = rates.delayMs(this.#account);
        if (waitMs <= 0 || clock.mono() >= endMs) break;
        await delay(clock, waitMs, closed);
        if (closed.aborted) throw new ClientGone();
      }
    }
    this.spend(units);
    this.#charge();
    this.#isPrepaid = true;
  }

  /** A turn of its own for a piece that is known to be large. Rejects with ClientGone. */
  async turn(): Promise<void> {
    this.#sinceTurn = 0;
    this.#charge();
    if (this.#pace !== null && !this.#isPrepaid) {
      const { rates, clock, closed } = this.#pace;
      const waitMs = rates.delayMs(this.#account);
      if (waitMs > 0) await delay(clock, waitMs, closed);
    }
    await this.#turns.next();
    if (this.#pace?.closed.aborted) throw new ClientGone();
  }

  /** What others of the account run meanwhile has to wait for. */
  #charge(): void {
    this.#pace?.rates.charge(this.#account, this.spentUnits - this.#chargedUnits);
    this.#chargedUnits = this.spentUnits;
  }
}

interface Debt {
  units: number;
  atMs: number;
}

export class WorkRates {
  readonly #clock: Pick<Clock, "mono">;
  readonly #debts = new Map<string, Debt>();

  constructor(clock: Pick<Clock, "mono">) {
    this.#clock = clock;
  }

  charge(account: string, units: number): void {
    const debt = { units: this.#owed(account) + units, atMs: this.#clock.mono() };
    // In order of the last charge, so that the oldest is the first.
    this.#debts.delete(account);
    this.#debts.set(account, debt);
    if (this.#debts.size <= MAX_ACCOUNTS) return;
    const oldest = this.#debts.keys().next().value;
    if (oldest !== undefined) this.#debts.delete(oldest);
  }

  /** How long the next command of this account has to wait, or the next piece. */
  delayMs(account: string): number {
    const tooMuch = this.#owed(account) - FREE_DEBT_UNITS;
    return tooMuch <= 0 ? 0 : Math.min(MAX_WAIT_MS, tooMuch / DRAIN_UNITS_PER_MS);
  }

  #owed(account: string): number {
    const debt = this.#debts.get(account);
    if (debt === undefined) return 0;
    const drained = (this.#clock.mono() - debt.atMs) * DRAIN_UNITS_PER_MS;
    return Math.max(0, debt.units - drained);
  }
}

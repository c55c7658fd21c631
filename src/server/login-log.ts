/**
 * What is written about connections that do not come to a login: the first few of each minute one
 * by one, the others as one line at the minute's end. Anyone can make them by the thousand, and a
 * log that is full of them hides what matters and fills the disk.
 */
import { type Logger, printable } from "../base/logger.ts";
import type { Clock } from "../platform/clock.ts";

const SINGLE_LINES = 5;
const INTERVAL_MS = 60_000;
/** Different peers that a summary counts; beyond it says "or more". */
const MAX_PEERS = 1024;

export type RefusedKind = "denied" | "broken" | "refused";

export class LoginLog {
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, "after">;
  readonly #counts: Record<RefusedKind, number> = { denied: 0, broken: 0, refused: 0 };
  readonly #addresses = new Set<string>();
  #lines = 0;
  #last: Readonly<Record<string, string>> = {};
  #cancel: (() => void) | null = null;

  constructor(logger: Logger, clock: Pick<Clock, "after">) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** `fields` must be printable already. */
  note(
    kind: RefusedKind,
    address: string,
    line: { readonly level: "info" | "warn"; readonly message: string },
    fields: Readonly<Record<string, string>>,
  ): void {
    this.#cancel ??= this.#clock.after(INTERVAL_MS, () => this.flush());
    if (this.#lines < SINGLE_LINES) {
      this.#lines++;
      this.#logger[line.level](line.message, fields);
      return;
    }
    this.#counts[kind]++;
    this.#last = fields;
    if (this.#addresses.size < MAX_PEERS) this.#addresses.add(printable(address, 64));
  }

  /** The summary of what was not written, if there is any. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#lines = 0;
    const { denied, broken, refused } = this.#counts;
    if (denied + broken + refused > 0) {
      this.#logger.warn("More logins did not come about", {
        ...this.#counts,
        addresses: this.#addresses.size,
        last: printable(JSON.stringify(this.#last), 256),
      });
    }
    Object.assign(this.#counts, { denied: 0, broken: 0, refused: 0 });
    this.#addresses.clear();
  }
}

/**
 * What clients hold of this node, counted per address, per account and in all: connections, and
 * bytes (commands that come in, GTID sets that they send, variables, prepared statements, answers
 * that nobody has read yet). Who would go beyond is refused with MySQL's own error; nothing that
 * is held already is taken away.
 *
 *   1040  too many connections           1203  too many connections of one account
 *   1041  too many bytes in all          1226  too many bytes of one account, or from one address
 *
 * Not counted: what dumps send, which has budgets of its own (sender.ts, the log's readers).
 * Addresses count as the login guard counts them: IPv6 by /64.
 */
import {
  outOfResources,
  resourceExceeded,
  tooManyConnections,
  tooManyUserConnections,
} from "../mysql/errors.ts";

const MIB = 1024 * 1024;

export interface ClientLimits {
  readonly connections: number;
  readonly connectionsPerAccount: number;
  readonly bytes: number;
  readonly bytesPerAccount: number;
  readonly bytesPerAddress: number;
}

/** One account leaves a tenth of the connections to others, and half of the bytes. */
export function clientLimits(connections: number): ClientLimits {
  return {
    connections,
    connectionsPerAccount: Math.max(1, Math.ceil(connections * 0.9)),
    bytes: 768 * MIB,
    bytesPerAccount: 384 * MIB,
    bytesPerAddress: 384 * MIB,
  };
}

interface Use {
  connections: number;
  bytes: number;
}

export class ClientBudget {
  readonly limits: ClientLimits;
  readonly #all: Use = { connections: 0, bytes: 0 };
  /** Entries live as long as connections do. */
  readonly #accounts = new Map<string, Use>();
  readonly #addresses = new Map<string, Use>();

  constructor(limits: ClientLimits) {
    this.limits = limits;
  }

  get heldBytes(): number {
    return this.#all.bytes;
  }

  get connections(): number {
    return this.#all.connections;
  }

  /** At the login, before the OK. Throws 1040 or 1203. */
  enter(account: string, address: string): ClientShare {
    const { limits } = this;
    if (this.#all.connections >= limits.connections) throw tooManyConnections();
    const ofAccount = this.#accounts.get(account)?.connections ?? 0;
    if (ofAccount >= limits.connectionsPerAccount) throw tooManyUserConnections(account);
    const uses = [this.#all, use(this.#accounts, account), use(this.#addresses, address)];
    for (const one of uses) one.connections++;
    return new ClientShare(
      (bytes) => this.#hold(bytes, account, address),
      (bytes) => {
        for (const one of uses) one.bytes -= bytes;
      },
      () => {
        for (const one of uses) one.connections--;
        if (uses[1]!.connections === 0) this.#accounts.delete(account);
        if (uses[2]!.connections === 0) this.#addresses.delete(address);
      },
    );
  }

  #hold(bytes: number, account: string, address: string): void {
    const ofAccount = use(this.#accounts, account);
    const ofAddress = use(this.#addresses, address);
    const { limits } = this;
    if (ofAccount.bytes + bytes > limits.bytesPerAccount) {
      throw resourceExceeded(account, "held_bytes", ofAccount.bytes + bytes);
    }
    if (ofAddress.bytes + bytes > limits.bytesPerAddress) {
      throw resourceExceeded(account, "held_bytes_of_address", ofAddress.bytes + bytes);
    }
    if (this.#all.bytes + bytes > limits.bytes) throw outOfResources();
    for (const one of [this.#all, ofAccount, ofAddress]) one.bytes += bytes;
  }
}

function use(uses: Map<string, Use>, key: string): Use {
  let found = uses.get(key);
  if (found === undefined) {
    found = { connections: 0, bytes: 0 };
    uses.set(key, found);
  }
  return found;
}

/** What one connection holds. */
export class ClientShare {
  readonly #hold: (bytes: number) => void;
  readonly #release: (bytes: number) => void;
  readonly #leave: () => void;
  #left = false;
  heldBytes = 0;

  constructor(hold: (bytes: number) => void, release: (bytes: number) => void, leave: () => void) {
    this.#hold = hold;
    this.#release = release;
    this.#leave = leave;
  }

  /** Throws the MysqlError that refuses it. */
  hold(bytes: number): void {
    if (this.#left || bytes <= 0) return;
    this.#hold(bytes);
    this.heldBytes += bytes;
  }

  /** At most what is held. */
  release(bytes: number): void {
    const given = Math.min(bytes, this.heldBytes);
    if (this.#left || given <= 0) return;
    this.heldBytes -= given;
    this.#release(given);
  }

  /** The connection is gone, and all that it held. */
  leave(): void {
    if (this.#left) return;
    this.release(this.heldBytes);
    this.#left = true;
    this.#leave();
  }
}

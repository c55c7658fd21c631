/**
 * The simulated network: machines with a name and an address, directed links between them with
 * faults that can be changed at any time, and the listeners. Machines reach themselves as
 * 127.0.0.1. Knows nothing of bytes; see conn.ts and pipe.ts.
 */
import type { Address, Conn, Listener, Net } from "../../src/platform/net.ts";
import { NetError } from "../../src/platform/net.ts";
import { MemoryConn } from "./conn.ts";
import type { Life } from "./life.ts";
import type { ConnWatch } from "./outbox.ts";
import { Link, type LinkFaults, Pipe } from "./pipe.ts";
import type { SeededRandom } from "./random.ts";
import type { VirtualTime } from "./time.ts";

const FIRST_FREE_PORT = 40_000;
const ANY = new Set(["0.0.0.0", "::"]);
const LOOPBACK = new Set(["127.0.0.1", "localhost", "::1"]);

/** What the network knows of a machine. */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** The process that runs now; null without power. */
  readonly life: Life | null;
  wall(): number;
}

interface Bound {
  readonly life: Life;
  readonly host: string;
  readonly onConn: (conn: Conn) => void;
}

export class MemoryNetwork {
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #hosts = new Map<string, Host>();
  readonly #links = new Map<string, Link>();
  readonly #bound = new Map<string, Bound>();
  readonly #conns = new Set<{ conn: MemoryConn; from: string; to: string }>();
  #nextPort = FIRST_FREE_PORT;
  /** Of links that nobody has touched yet. */
  readonly defaults: LinkFaults = {
    latencyMs: 0.1,
    jitterMs: 0,
    blackHole: false,
    fragment: false,
    leavesMs: 1,
  };
  readonly watch: ConnWatch = { onChangedBytes: null, onSent() {} };

  constructor(time: VirtualTime, random: SeededRandom) {
    this.#time = time;
    this.#random = random;
  }

  add(host: Host): void {
    this.#hosts.set(host.name, host);
    this.#hosts.set(host.address, host);
  }

  /** Sets faults of the link from one machine to another, in this direction only. */
  setLink(from: string, to: string, faults: Partial<LinkFaults>): void {
    const link = this.#link(from, to);
    Object.assign(link.faults, faults);
    if (!link.faults.blackHole) link.release();
  }

  /** Nothing passes between the two groups any more, in both directions; connections stay open. */
  partition(left: readonly string[], right: readonly string[]): void {
    for (const a of left) {
      for (const b of right) {
        this.setLink(a, b, { blackHole: true });
        this.setLink(b, a, { blackHole: true });
      }
    }
  }

  /** Opens all black holes; latencies stay. */
  heal(): void {
    for (const link of this.#links.values()) {
      link.faults.blackHole = false;
      link.release();
    }
  }

  /** Resets every open connection between the two, at both ends. */
  dropConnections(a: string, b: string): void {
    for (const { conn, from, to } of [...this.#conns]) {
      if ((from === a && to === b) || (from === b && to === a)) conn.cut();
    }
  }

  /** A process ended. Its kernel tells the peers only if the machine still has power. */
  onEnd(life: Life, hasPower: boolean): void {
    for (const [key, bound] of this.#bound) if (bound.life === life) this.#bound.delete(key);
    for (const entry of [...this.#conns]) {
      if (entry.conn.life !== life) continue;
      if (hasPower && !entry.conn.gone) entry.conn.abandon();
      this.#conns.delete(entry);
    }
  }

  netOf(host: Host, life: Life): Net {
    return {
      listen: (address, onConn) => this.#listen(host, life, address, onConn),
      connect: (address, timeoutMs) => this.#connect(host, life, address, timeoutMs),
    };
  }

  find(from: Host, name: string): Host | null {
    return LOOPBACK.has(name) ? from : (this.#hosts.get(name) ?? null);
  }

  async #listen(
    host: Host,
    life: Life,
    address: Address,
    onConn: (conn: Conn) => void,
  ): Promise<Listener> {
    await life.wait(0, "listen");
    const own = ANY.has(address.host) || this.find(host, address.host) === host;
    const where = `${address.host}:${address.port}`;
    if (!own) throw new NetError("EADDRNOTAVAIL", `Cannot listen on ${where}: not our address`);
    const port = address.port === 0 ? this.#nextPort++ : address.port;
    const key = `${host.name}:${port}`;
    if (this.#bound.has(key)) throw new NetError("EADDRINUSE", `Cannot listen on ${where}: in use`);
    const bound: Bound = { life, host: address.host, onConn };
    this.#bound.set(key, bound);
    return {
      address: { host: address.host, port },
      close: async () => {
        if (this.#bound.get(key) === bound) this.#bound.delete(key);
      },
    };
  }

  #connect(from: Host, life: Life, address: Address, timeoutMs: number): Promise<Conn> {
    const where = `${address.host}:${address.port}`;
    return new Promise((resolve, reject) => {
      let waiting = true;
      const fail = (code: string): void => {
        if (!waiting || !life.alive) return;
        waiting = false;
        cancel();
        reject(new NetError(code, `Cannot connect to ${where}: ${code}`));
      };
      const cancel = life.after(timeoutMs, "connect timeout", () => fail("ETIMEDOUT"));
      const to = this.find(from, address.host);
      if (to === null) {
        life.after(0, "no such name", () => fail("ENOTFOUND"));
        return;
      }
      const up = this.#pipe(from, to);
      const down = this.#pipe(to, from);
      const port = this.#nextPort++;
      up.send(`connect ${address.port}`, () => {
        // A machine without power does not even refuse.
        if (to.life === null) return;
        const bound = this.#bound.get(`${to.name}:${address.port}`);
        const hidden = bound !== undefined && LOOPBACK.has(bound.host) && to !== from;
        if (bound === undefined || hidden) {
          return down.send("refused", () => life.reach(() => fail("ECONNREFUSED")));
        }
        const { watch } = this;
        const client = new MemoryConn(life, `${to.address}:${address.port}`, up, from, watch);
        const server = new MemoryConn(bound.life, `${from.address}:${port}`, down, to, watch);
        MemoryConn.pair(client, server);
        this.#track(client, from.name, to.name);
        this.#track(server, to.name, from.name);
        const accepted = (): void => {
          if (waiting) resolve(client);
          else client.destroy();
          waiting = false;
          cancel();
        };
        down.send("accepted", () => life.reach(accepted));
        bound.life.reach(() => bound.onConn(server));
      });
    });
  }

  #track(conn: MemoryConn, from: string, to: string): void {
    const entry = { conn, from, to };
    this.#conns.add(entry);
    void conn.closed.then(() => this.#conns.delete(entry));
  }

  #pipe(from: Host, to: Host): Pipe {
    const link = this.#link(from.name, to.name);
    return new Pipe(link, this.#time, this.#random, () => to.life !== null);
  }

  #link(from: string, to: string): Link {
    const name = `${from}>${to}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Link(name, { ...this.defaults });
      this.#links.set(name, link);
    }
    return link;
  }
}

/**
 * A TCP proxy in user space, for lines and faults that loopback does not have: as long as the way to
 * another continent, as thin as one pays for, cut after so many bytes, swallowing everything, refused,
 * reset. It can not lose single packets; TCP would repair that anyway. "up" is from the client to the
 * target, "down" the way back.
 */
import net, { type Socket } from "node:net";

export type Direction = "up" | "down";

const LEAST_WAITING_BYTES = 256 * 1024;

export interface ProxyFaults {
  /** Added to every piece of data, each way; the order is kept. */
  delayMs: number;
  /** Of the delay, up or down by chance. */
  jitterShare: number;
  /** What the line carries each way; connections with the same faults share it. */
  bytesPerMs: number;
  /** Data and ends of streams vanish; connections stay open. Per direction. */
  blackHole: Record<Direction, boolean>;
  /** New connections are reset at once. */
  refuse: boolean;
  /** Every connection is reset after so many bytes from its start in this direction. */
  cutAfterBytes: Record<Direction, number>;
  /** What has passed with these faults. */
  readonly passedBytes: Record<Direction, number>;
  /** When the line has sent all that was given to it. */
  readonly freeAtMs: Record<Direction, number>;
}

export class TcpProxy {
  readonly port: number;
  readonly host = "127.0.0.1";
  /** Change at will; it counts from the next piece of data or the next connection. */
  readonly faults: ProxyFaults;
  /** Bytes passed on, over all connections. */
  readonly passedBytes: Record<Direction, number> = { up: 0, down: 0 };
  readonly #held = { pieces: 0 };
  readonly #server: net.Server;
  readonly #links = new Set<Link>();

  /** `faultsOf` gives a new connection faults of its own, by who connects. */
  static async start(
    target: { host: string; port: number },
    faultsOf?: (client: Socket) => Promise<ProxyFaults>,
  ): Promise<TcpProxy> {
    const server = net.createServer({ noDelay: true, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return new TcpProxy(server, target, faultsOf);
  }

  private constructor(
    server: net.Server,
    target: { host: string; port: number },
    faultsOf?: (client: Socket) => Promise<ProxyFaults>,
  ) {
    this.#server = server;
    this.port = (server.address() as net.AddressInfo).port;
    this.faults = noFaults();
    const link = (client: Socket, faults: ProxyFaults): void => {
      if (faults.refuse) {
        client.resetAndDestroy();
        return;
      }
      const link = new Link(client, target, faults, this.passedBytes, this.#held);
      this.#links.add(link);
      client.once("close", () => this.#links.delete(link));
    };
    server.on("connection", (client) => {
      client.on("error", () => {});
      if (faultsOf === undefined) link(client, this.faults);
      else
        faultsOf(client).then(
          (faults) => link(client, faults),
          () => client.destroy(),
        );
    });
  }

  /** Pieces of data that wait for their delay. */
  get heldPieces(): number {
    return this.#held.pieces;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Back to a plain proxy. What a black hole swallowed stays lost: cut those connections. */
  heal(): void {
    const { passedBytes, freeAtMs } = this.faults;
    Object.assign(this.faults, { ...noFaults(), passedBytes, freeAtMs });
  }

  /** Resets all connections that are open now, or those of some faults. */
  cut(of?: (faults: ProxyFaults) => boolean): void {
    for (const link of this.#links) if (of === undefined || of(link.faults)) link.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export function noFaults(): ProxyFaults {
  return {
    delayMs: 0,
    jitterShare: 0,
    bytesPerMs: Number.POSITIVE_INFINITY,
    blackHole: { up: false, down: false },
    refuse: false,
    cutAfterBytes: { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY },
    passedBytes: { up: 0, down: 0 },
    freeAtMs: { up: 0, down: 0 },
  };
}

class Link {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly faults: ProxyFaults;
  readonly #held: { pieces: number };

  constructor(
    client: Socket,
    target: { host: string; port: number },
    faults: ProxyFaults,
    passed: Record<Direction, number>,
    held: { pieces: number },
  ) {
    this.#client = client;
    this.faults = faults;
    this.#held = held;
    this.#target = net.connect({ ...target, noDelay: true, allowHalfOpen: true });
    this.#target.on("error", () => this.reset());
    client.on("error", () => this.reset());
    this.#pipe("up", client, this.#target, passed);
    this.#pipe("down", this.#target, client, passed);
  }

  reset(): void {
    // A reset behind an end fails, and Node.js then never closes the handle.
    for (const socket of [this.#client, this.#target])
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
  }

  /** When a piece that comes now is at the other end. */
  #due(direction: Direction, bytes: number): number {
    const { delayMs, jitterShare, bytesPerMs, freeAtMs } = this.faults;
    const now = performance.now();
    const sentMs = Math.max(now, freeAtMs[direction]) + bytes / bytesPerMs;
    freeAtMs[direction] = sentMs;
    return sentMs + delayMs * (1 + jitterShare * (2 * Math.random() - 1));
  }

  /** Twice what is on a line of this length and width, as its queues would hold. */
  get #mostWaiting(): number {
    const { delayMs, bytesPerMs } = this.faults;
    return Math.max(LEAST_WAITING_BYTES, 2 * delayMs * bytesPerMs);
  }

  #pipe(direction: Direction, from: Socket, to: Socket, passed: Record<Direction, number>): void {
    let seen = 0;
    let waiting = 0;
    // One chain per direction keeps the order, whatever the delay was when a piece came.
    let last: Promise<void> = Promise.resolve();
    const later = (step: () => void, bytes = 0): void => {
      const due = this.#due(direction, bytes);
      this.#held.pieces++;
      last = last.then(async () => {
        const left = due - performance.now();
        if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
        this.#held.pieces--;
        step();
      });
    };
    from.on("data", (chunk: Uint8Array) => {
      if (this.faults.blackHole[direction]) return;
      const room = this.faults.cutAfterBytes[direction] - seen;
      const piece = chunk.subarray(0, Math.max(0, Math.min(chunk.length, room)));
      seen += chunk.length;
      from.pause();
      later(() => {
        passed[direction] += piece.length;
        this.faults.passedBytes[direction] += piece.length;
        waiting -= chunk.length;
        const cut = (): void => {
          if (room < chunk.length) this.reset();
          else from.resume();
        };
        if (to.destroyed) return;
        if (piece.length === 0) cut();
        else to.write(piece, cut);
      }, piece.length);
      waiting += chunk.length;
      // A long delay must not turn into one piece per delay: read on while the line is not full.
      if (this.faults.delayMs > 0 && waiting < this.#mostWaiting) from.resume();
    });
    from.on("end", () => {
      if (!this.faults.blackHole[direction]) later(() => to.end());
    });
    from.on("close", () => {
      if (!this.faults.blackHole[direction]) later(() => to.destroySoon());
    });
  }
}

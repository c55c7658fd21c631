/**
 * The network between processes on one machine, with distances and partitions: a proxy stands in front of
 * every port that others use, and a connection's faults are those of the pair (who dials, who is dialed).
 * Who dials is read from /proc: the process that holds the other end's socket.
 */
import { readdir, readFile, readlink } from "node:fs/promises";
import type { Socket } from "node:net";
import { noFaults, type ProxyFaults, TcpProxy } from "./tcp-proxy.ts";

/** How two processes are connected, both ways alike. */
export interface Line {
  readonly rttMs: number;
  readonly jitterShare: number;
  readonly bytesPerMs: number;
}

const near = (): Line => ({ rttMs: 0, jitterShare: 0, bytesPerMs: Number.POSITIVE_INFINITY });

export class PeerNetwork {
  readonly #pids: () => ReadonlyMap<string, number>;
  readonly #proxies = new Map<string, TcpProxy>();
  /** By "from>to" of who dials. */
  readonly #pairs = new Map<string, ProxyFaults>();
  /** Directions "from>to" in which nothing passes. */
  readonly #cut = new Set<string>();
  readonly #line: (from: string, to: string) => Line;

  /** `pids` of the processes that run now, by name; `line` is how two are connected. */
  constructor(
    pids: () => ReadonlyMap<string, number>,
    line: (from: string, to: string) => Line = near,
  ) {
    this.#pids = pids;
    this.#line = line;
  }

  /** The address at which the others are to reach it. */
  async advertise(name: string, peerPort: number): Promise<string> {
    const proxy = await TcpProxy.start({ host: "127.0.0.1", port: peerPort }, async (client) =>
      this.#pair(await this.#whoDials(client), name),
    );
    this.#proxies.set(name, proxy);
    return `127.0.0.1:${proxy.port}`;
  }

  #pair(from: string, to: string): ProxyFaults {
    const key = `${from}>${to}`;
    let faults = this.#pairs.get(key);
    if (faults === undefined) {
      const { rttMs, jitterShare, bytesPerMs } = this.#line(from, to);
      faults = { ...noFaults(), delayMs: rttMs / 2, jitterShare, bytesPerMs };
      this.#pairs.set(key, faults);
      this.#apply(from, to, faults);
    }
    return faults;
  }

  #apply(from: string, to: string, faults: ProxyFaults): void {
    faults.blackHole.up = this.#cut.has(`${from}>${to}`);
    faults.blackHole.down = this.#cut.has(`${to}>${from}`);
    faults.refuse = faults.blackHole.up && faults.blackHole.down;
  }

  /** Passed so far, by "from>to" of who said it. */
  passedBytes(): Map<string, number> {
    const all = new Map<string, number>();
    const add = (key: string, bytes: number): void =>
      void all.set(key, (all.get(key) ?? 0) + bytes);
    for (const [key, { passedBytes }] of this.#pairs) {
      const [from, to] = key.split(">") as [string, string];
      add(`${from}>${to}`, passedBytes.up);
      add(`${to}>${from}`, passedBytes.down);
    }
    return all;
  }

  /** What `from` says does not reach `to` from now on, over open and new connections. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
    this.#applyAll();
  }

  /** Nothing between these and all others. */
  separate(names: readonly string[]): void {
    for (const name of names)
      for (const other of this.#names())
        if (!names.includes(other)) {
          this.#cut.add(`${name}>${other}`);
          this.#cut.add(`${other}>${name}`);
        }
    this.#applyAll();
  }

  /** All that were ever seen: those with a proxy, and those that only dial. */
  #names(): Set<string> {
    return new Set([...this.#proxies.keys(), ...this.#pids().keys()]);
  }

  /** Nothing between one node and the others: both ways, or only what it says or hears. */
  isolate(name: string, way: "both" | "says" | "hears" = "both"): void {
    for (const other of this.#proxies.keys()) {
      if (other === name) continue;
      if (way !== "hears") this.#cut.add(`${name}>${other}`);
      if (way !== "says") this.#cut.add(`${other}>${name}`);
    }
    this.#applyAll();
  }

  /** Nobody hears anybody. */
  isolateAll(): void {
    for (const name of this.#proxies.keys()) this.isolate(name);
  }

  #applyAll(): void {
    for (const [key, faults] of this.#pairs) {
      const [from, to] = key.split(">") as [string, string];
      this.#apply(from, to, faults);
    }
  }

  /** All is whole again; connections that lost bytes are reset, as their ends would have noticed. */
  heal(): void {
    this.#cut.clear();
    for (const proxy of this.#proxies.values())
      proxy.cut(({ blackHole }) => blackHole.up || blackHole.down);
    this.#applyAll();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
  }

  async #whoDials(client: Socket): Promise<string> {
    const { remotePort, localPort } = client;
    const inode = await socketInode(remotePort ?? 0, localPort ?? 0);
    for (const [name, pid] of this.#pids()) {
      const folder = `/proc/${pid}/fd`;
      for (const fd of await readdir(folder).catch(() => [] as string[])) {
        const target = await readlink(`${folder}/${fd}`).catch(() => "");
        if (target === `socket:[${inode}]`) return name;
      }
    }
    throw new Error("No node holds the other end of this connection");
  }
}

/** Of the socket with these two ports; the kernel lists them in hex. */
async function socketInode(local: number, remote: number): Promise<string> {
  const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
  for (const file of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const table = await readFile(file, "utf8").catch(() => "");
    for (const line of table.split("\n")) {
      const [, from, to, , , , , , , inode] = line.trim().split(/\s+/);
      if (from?.endsWith(`:${hex(local)}`) && to?.endsWith(`:${hex(remote)}`)) return inode!;
    }
  }
  throw new Error(`No socket from port ${local} to ${remote}`);
}

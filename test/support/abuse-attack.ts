/**
 * What an attack of `npm run soak -- abuse` is, and what it is given: whom to attack, when to stop, and a
 * place to count what became of it. An attack runs in a process of its own (abuse-client.ts).
 */
import net, { type Socket } from "node:net";
import { NodeConn } from "../../runtime/node/conn.ts";
import { netError } from "../../runtime/node/errors.ts";
import { nodePlatform } from "../../runtime/node/platform.ts";
import { type ClientConfig, connect, type MysqlClient } from "../../src/mysql/client.ts";
import type { Platform } from "../../src/platform/platform.ts";

export interface AbuseNode {
  readonly name: string;
  readonly raftId: number;
  readonly mysqlPort: number;
  readonly adminPort: number;
  readonly peerPort: number;
  readonly token: string;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

export interface AbuseTarget {
  readonly nodes: readonly AbuseNode[];
  readonly secret: string;
  readonly clusterId: string;
  readonly term: number;
  readonly lastIndex: number;
  /** Of real replicas. */
  readonly account: Login;
  /** Of an attacker that may log in. */
  readonly guest: Login;
  /** The server_uuid of a real replica that follows the first node. */
  readonly replicaUuid: string;
  /** "uuid:1-99", what nodes have. */
  readonly executed: string;
}

export interface Attack {
  readonly name: string;
  /** What it does, in a sentence. */
  readonly says: string;
  /** Rows of "What did not" and items of "What held". */
  readonly covers: string;
  /** Leaves so many handles to each node beyond those that it has open. */
  readonly handlesLeft?: number;
  /** It takes all handles that there are: nobody new can come in meanwhile. */
  readonly shutsOut?: boolean;
  /** Until `scene.stop`; what is open then goes with the process. */
  run(scene: Scene): Promise<unknown>;
}

const HOST = "127.0.0.1";
const CONNECT_MS = 10_000;

export class Scene {
  readonly target: AbuseTarget;
  readonly stop: AbortSignal;
  readonly platform: Platform = nodePlatform();
  readonly counts: Map<string, number> = new Map();

  constructor(target: AbuseTarget, stop: AbortSignal) {
    this.target = target;
    this.stop = stop;
  }

  get nodes(): readonly AbuseNode[] {
    return this.target.nodes;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** Resolves after that, or when it is to stop. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.stop.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  until(): Promise<void> {
    return this.sleep(2 ** 31 - 1);
  }

  /** So many at once, each again and again; what they fail with is counted and no more. */
  async crowd(count: number, pauseMs: number, one: (i: number) => Promise<unknown>): Promise<void> {
    const loop = async (i: number): Promise<void> => {
      while (!this.stop.aborted) {
        try {
          await one(i);
          this.count("done");
        } catch (error) {
          this.count(reasonOf(error));
        }
        await this.sleep(pauseMs);
      }
    };
    await Promise.all(Array.from({ length: count }, (_, i) => loop(i)));
  }

  /** A connection from another address of this machine. */
  open(port: number, from: string = HOST): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: HOST, port, localAddress: from, noDelay: true });
      const timer = setTimeout(() => socket.destroy(new Error("no connection")), CONNECT_MS);
      socket.once("error", (error) => {
        clearTimeout(timer);
        socket.on("error", () => {});
        reject(error);
      });
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.removeAllListeners("error");
        socket.on("error", () => {});
        resolve(socket);
      });
    });
  }

  /** Opens one, says so much and no more, and reads what comes until it is closed. */
  async silent(port: number, from: string, first: Uint8Array | string = ""): Promise<void> {
    const socket = await this.open(port, from);
    socket.resume();
    if (first.length > 0) socket.write(first);
    await closed(socket);
  }

  /** A platform whose connections come from there. */
  platformFrom(from: string): Platform {
    const { platform } = this;
    const connectFrom = async ({ port }: { port: number }): Promise<NodeConn> => {
      const socket = await this.open(port, from).catch((error: unknown) => {
        throw netError(error, `Cannot connect to port ${port}`);
      });
      const options = { wrapDuplex: false, joinsCorked: false };
      return new NodeConn(socket, `${HOST}:${port}`, null, socket, options);
    };
    return { ...platform, net: { ...platform.net, connect: connectFrom } };
  }

  logIn(
    node: AbuseNode,
    from: string = HOST,
    { user, password }: Login = this.target.guest,
    more: Partial<ClientConfig> = {},
  ): Promise<MysqlClient> {
    const tls = { mode: "disabled" } as const;
    const config = { host: HOST, port: node.mysqlPort, user, password, tls, fetchPublicKey: true };
    return connect({ ...config, ...more }, this.platformFrom(from));
  }
}

/** The i-th of many; none of them is the one of real clients. */
export function address(i: number): string {
  return `127.0.${1 + Math.floor(i / 250)}.${1 + (i % 250)}`;
}

export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once("close", () => resolve());
  });
}

function reasonOf(error: unknown): string {
  const { code, errno, message } = error as { code?: unknown; errno?: unknown; message?: string };
  if (typeof code === "string") return code;
  if (typeof errno === "number") return `error ${errno}`;
  return (message ?? String(error)).slice(0, 40);
}

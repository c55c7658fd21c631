/** Our client against our server, or either against a script, over in-memory connections. */

import { createVerifiers } from "../../../src/mysql/auth/verifier.ts";
import {
  type ClientConfig,
  type ClientPlatform,
  connect,
  type MysqlClient,
} from "../../../src/mysql/client.ts";
import { PacketConnection } from "../../../src/mysql/connection.ts";
import {
  acceptLogin,
  type ServerLogin,
  type ServerLoginOptions,
} from "../../../src/mysql/server-handshake.ts";
import type { Clock } from "../../../src/platform/clock.ts";
import type { Conn } from "../../../src/platform/net.ts";
import { thisPlatform } from "../../support/this-platform.ts";
import { type FakeConn, fakePair } from "./fake-conn.ts";

export const platform = await thisPlatform();

export const accounts = new Map(
  [
    { name: "repl", verifiers: createVerifiers(platform.crypto, "secret", { native: false }) },
    { name: "old", verifiers: createVerifiers(platform.crypto, "secret", { native: true }) },
  ].map((account) => [account.name, account]),
);

export const serverOptions: ServerLoginOptions = {
  serverVersion: "9.7.0-binraft",
  connectionId: 7,
  findAccount: (user) => accounts.get(user) ?? null,
  someNative: true,
  fakeSecret: new Uint8Array(32).fill(3),
  tls: { role: "server", clientCert: "none", cert: "", key: "" },
  requireTls: false,
  rsaKey: null,
  compression: true,
  maxPayloadBytes: 1 << 24,
};

export const clientConfig: ClientConfig = {
  host: "db.example",
  port: 3306,
  user: "repl",
  password: "secret",
  tls: { mode: "verify-ca" },
};

/** A platform whose network is the one given connection. */
export function platformWith(conn: Conn, clock: Clock = platform.clock): ClientPlatform {
  const { crypto, compress } = platform;
  const net = { ...platform.net, connect: async () => conn };
  return { clock, net, crypto, compress };
}

export interface LoginOutcome {
  readonly client: PromiseSettledResult<MysqlClient>;
  readonly server: PromiseSettledResult<ServerLogin>;
  readonly connection: PacketConnection;
  readonly ends: { client: FakeConn; server: FakeConn };
}

/** Lets our client log in to our server. */
export async function loginBoth(
  client: Partial<ClientConfig>,
  server: Partial<ServerLoginOptions> = {},
  pieceBytes?: number,
): Promise<LoginOutcome> {
  const ends = fakePair(pieceBytes);
  const connection = new PacketConnection(ends.server, { maxPayloadBytes: 100 });
  const [clientResult, serverResult] = await Promise.allSettled([
    connect({ ...clientConfig, ...client }, platformWith(ends.client)),
    acceptLogin(connection, { ...serverOptions, ...server }, platform),
  ]);
  return { client: clientResult, server: serverResult, connection, ends };
}

/** A clock whose timers run when the test says so. */
export class ManualClock implements Clock {
  readonly timers: (() => void)[] = [];
  mono(): number {
    return 0;
  }
  wall(): number {
    return 0;
  }
  after(_ms: number, fn: () => void): () => void {
    this.timers.push(fn);
    return () => {
      this.timers.splice(this.timers.indexOf(fn), 1);
    };
  }
  soon(fn: () => void): void {
    queueMicrotask(fn);
  }
  fire(): void {
    for (const timer of this.timers.splice(0)) timer();
  }
}

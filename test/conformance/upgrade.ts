/** Connections that are upgraded to TLS, and the certificates for it. */
import assert from "node:assert/strict";
import type { Conn, TlsClientOptions, TlsServerOptions } from "../../src/platform/net.ts";
import type { Platform } from "../../src/platform/platform.ts";
import { connectedPair, HOST, readExactly } from "./streams.ts";

export const HOUR_MS = 3_600_000;
const REQUEST = Uint8Array.from([32, 0, 0, 1]);

export interface Credentials {
  readonly cert: string;
  readonly key: string;
}

export function certificate(
  platform: Platform,
  name: string,
  ageMs = HOUR_MS,
): Promise<Credentials> {
  const now = platform.clock.wall();
  return platform.crypto.selfSignedCertificate({
    commonName: name,
    altNames: [name, HOST],
    notBefore: new Date(now - ageMs - HOUR_MS),
    notAfter: new Date(now - ageMs + 2 * HOUR_MS),
  });
}

export interface Upgraded {
  readonly server: PromiseSettledResult<Conn>;
  readonly client: PromiseSettledResult<Conn>;
  close(): Promise<void>;
}

/** The client asks in clear and shakes hands at once, as MySQL's SSLRequest does. */
export async function upgrade(
  platform: Platform,
  server: Omit<TlsServerOptions, "role">,
  client: Omit<TlsClientOptions, "role">,
): Promise<Upgraded> {
  const pair = await connectedPair(platform);
  const serving = (async () => {
    // Takes all that came, as a packet reader does, and puts back what is not its own.
    let got = await readExactly(pair.server, REQUEST.length);
    const more = pair.server.readNow();
    if (more !== null) pair.server.unread(more);
    assert.deepEqual([...got], [...REQUEST]);
    got = new Uint8Array(0);
    return pair.server.startTls({ role: "server", ...server });
  })();
  pair.client.write([REQUEST]);
  const [serverSide, clientSide] = await Promise.allSettled([
    serving,
    pair.client.startTls({ role: "client", ...client }),
  ]);
  const close = async (): Promise<void> => {
    for (const side of [serverSide, clientSide]) {
      if (side.status !== "fulfilled") continue;
      side.value.destroy();
      await side.value.closed;
    }
    await pair.listener.close();
  };
  return { server: serverSide, client: clientSide, close };
}

export function connOf(side: PromiseSettledResult<Conn>): Conn {
  if (side.status === "rejected") throw side.reason;
  return side.value;
}

/** The code that a side gives for refusing the other; "" when it did not. */
export function refusalOf(side: PromiseSettledResult<Conn>): string {
  return side.status === "rejected" ? side.reason.code : "";
}

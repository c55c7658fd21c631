/** The first steps of a link at both ends: connection, TLS, proof, hellos. */
import type { Address, Conn } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { FrameBuffers } from "./frames.ts";
import { secure } from "./handshake.ts";
import type { PeersHost } from "./host.ts";
import { PeerLink } from "./link.ts";
import type { Hello } from "./protocol.ts";

const CONNECT_MS = 5_000;

/**
 * Rejects with NetError, ProofFailed, LinkRefused, MalformedBytes, or BinraftError when the credentials
 * cannot be read; nothing is left open then.
 */
export async function dial(
  platform: Platform,
  host: PeersHost,
  address: Address,
  buffers: FrameBuffers,
  own: Hello = host.hello(),
): Promise<{ link: PeerLink; hello: Hello }> {
  const credentials = await host.credentials();
  const conn = await platform.net.connect(address, CONNECT_MS);
  const secured = await secure(platform, conn, "client", credentials);
  const link = new PeerLink(platform, secured, buffers);
  try {
    link.sendHello(own);
    return { link, hello: await link.receiveHello() };
  } catch (error) {
    link.close();
    throw error;
  }
}

/**
 * Who is at an address: its hello. It takes us for somebody without a place in its cluster, so that this takes
 * the place of no link. Rejects as `dial` does.
 */
export async function whoIs(platform: Platform, host: PeersHost, address: Address): Promise<Hello> {
  const own = { ...host.hello(), raftId: 0 };
  const { link, hello } = await dial(platform, host, address, new FrameBuffers(), own);
  link.close();
  return hello;
}

/** The other end: TLS and proof; the hello comes next. Rejects and closes as `dial` does. */
export async function accept(
  platform: Platform,
  host: PeersHost,
  conn: Conn,
  buffers: FrameBuffers,
  signal: AbortSignal,
): Promise<PeerLink> {
  const credentials = await host.credentials().catch((error: unknown) => {
    conn.destroy();
    throw error;
  });
  return new PeerLink(
    platform,
    await secure(platform, conn, "server", credentials, signal),
    buffers,
  );
}

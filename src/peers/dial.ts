/** A link to whoever listens at an address: connection, TLS, proof, hellos. */
import type { Address } from "../platform/net.ts";
import type { Platform } from "../platform/platform.ts";
import { secure } from "./handshake.ts";
import type { PeersHost } from "./host.ts";
import { PeerLink } from "./link.ts";
import type { Hello } from "./protocol.ts";

const CONNECT_MS = 5_000;

/** Rejects with NetError, ProofFailed, LinkRefused or MalformedBytes; nothing is left open then. */
export async function dial(
  platform: Platform,
  host: PeersHost,
  address: Address,
): Promise<{ link: PeerLink; hello: Hello }> {
  const conn = await platform.net.connect(address, CONNECT_MS);
  const secured = await secure(platform, conn, "client", await host.credentials());
  const link = new PeerLink(platform, secured);
  try {
    link.sendHello(host.hello());
    return { link, hello: await link.receiveHello() };
  } catch (error) {
    link.close();
    throw error;
  }
}

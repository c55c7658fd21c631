/**
 * TCP by `node:net`, shared by Node, Bun and Deno. Every socket has TCP_NODELAY and keepalive.
 * The accept backlog is left to the runtime (Bun ignores the option): clients try again.
 */
import net, { type Socket } from "node:net";
import type { Address, Conn, Listener, Net } from "../../src/platform/net.ts";
import { NetError } from "../../src/platform/net.ts";
import { type ConnOptions, NodeConn } from "./conn.ts";
import { netError } from "./errors.ts";
import { type Ask, addressesOf, type Internal } from "./resolve.ts";
import { handlesAreShort } from "./spare-handles.ts";

/**
 * What a connection of ours reads into, again and again: without it every 64 KiB would be memory of
 * their own, and collecting them cost a fifth of the CPU while a source is pulled. A runtime that
 * does not know `onread` tells by 'data' instead.
 */
const READ_BYTES = 128 * 1024;
/** Idle time before the first probe: finds peers that vanished without a reset. */
const KEEP_ALIVE_MS = 30_000;

export function nodeNet(options: ConnOptions, internal: Internal): Net {
  return {
    listen: (address, onConn) => listen(address, onConn, options),
    connect: (address, timeoutMs) => {
      const ask = internal(address.host);
      if (ask === null) return connect(address, timeoutMs, options);
      return connectInside(ask, address, timeoutMs, options);
    },
  };
}

function listen(
  address: Address,
  onConn: (conn: Conn) => void,
  options: ConnOptions,
): Promise<Listener> {
  const server = net.createServer((socket) => {
    if (handlesAreShort()) socket.destroy();
    else onConn(open(socket, options));
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(netError(error, `Cannot listen on ${address.host}:${address.port}`));
    });
    server.listen({ host: address.host, port: address.port }, () => {
      server.removeAllListeners("error");
      // A failed accept (no file handle left) is the peer's loss; the listener goes on.
      server.on("error", () => {});
      const bound = server.address() as net.AddressInfo;
      resolve({ address: { host: address.host, port: bound.port }, close: () => close(server) });
    });
  });
}

/** Node reports 'close' only when the last connection is gone; we do not wait for that. */
function close(server: net.Server): Promise<void> {
  if (server.listening) server.close();
  return new Promise((resolve) => setImmediate(resolve));
}

/** Looks the name up first, and takes the first of its addresses that answers. */
async function connectInside(
  ask: Ask,
  { host, port }: Address,
  timeoutMs: number,
  options: ConnOptions,
): Promise<Conn> {
  const deadline = performance.now() + timeoutMs;
  const late = new NetError(
    "ETIMEDOUT",
    `Cannot connect to ${host}:${port}: no answer in ${timeoutMs} ms`,
  );
  const addresses = await within(addressesOf(ask, host), timeoutMs, late);
  let failure: NetError = late;
  for (const address of addresses) {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) break;
    try {
      return await connect({ host: address, port }, leftMs, options);
    } catch (error) {
      const { code } = netError(error, "");
      const message = `Cannot connect to ${host}:${port} at ${address}: ${code}`;
      failure = new NetError(code, message, { cause: error });
    }
  }
  throw failure;
}

function within<T>(work: Promise<T>, timeoutMs: number, late: Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late), timeoutMs);
  });
  return Promise.race([work, timeout]).finally(() => clearTimeout(timer));
}

function connect(address: Address, timeoutMs: number, options: ConnOptions): Promise<Conn> {
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    let conn: NodeConn | null = null;
    const socket = net.connect({
      host,
      port,
      noDelay: true,
      // Whoever needs its sockets wrapped reads them by 'data'.
      ...(options.wrapDuplex ? {} : { onread: readInto(() => conn) }),
    });
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      socket.on("error", () => {});
      socket.destroy();
      reject(netError(error, `Cannot connect to ${host}:${port}`));
    };
    const timer = setTimeout(() => {
      fail(
        new NetError(
          "ETIMEDOUT",
          `Cannot connect to ${host}:${port}: no answer in ${timeoutMs} ms`,
        ),
      );
    }, timeoutMs);
    socket.once("error", fail);
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      conn = open(socket, options);
      resolve(conn);
    });
  });
}

function readInto(conn: () => NodeConn | null): net.OnReadOpts {
  return {
    buffer: new Uint8Array(READ_BYTES),
    callback(length, buffer) {
      conn()?.onShared(new Uint8Array(buffer.buffer, buffer.byteOffset, length));
      return true;
    },
  };
}

function open(socket: Socket, options: ConnOptions): NodeConn {
  // Per socket, not by an option of the server: Deno ignores that one.
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return new NodeConn(socket, peerName(socket), null, socket, options);
}

function peerName(socket: Socket): string {
  const host = (socket.remoteAddress ?? "unknown").replace(/^::ffff:(?=\d+\.)/, "");
  return host.includes(":") ? `[${host}]:${socket.remotePort}` : `${host}:${socket.remotePort}`;
}

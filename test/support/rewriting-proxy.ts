/** A proxy that makes a server, or its client, call itself by another version: in plain text only. */
import net from "node:net";

/** Of one length. */
export interface Rewriting {
  readonly from: string;
  readonly to: string;
}

export interface RewritingProxyOptions {
  readonly port: number;
  readonly serverSays?: Rewriting;
  readonly clientSays?: Rewriting;
}

export interface RewritingProxy extends AsyncDisposable {
  readonly port: number;
  /** How often. */
  readonly rewritten: number;
}

export async function rewritingProxy(options: RewritingProxyOptions): Promise<RewritingProxy> {
  const sockets = new Set<net.Socket>();
  let rewritten = 0;
  const rewrite = (bytes: Buffer, rewriting: Rewriting | undefined): Buffer => {
    if (rewriting === undefined) return bytes;
    const out = Buffer.from(bytes);
    let at = out.indexOf(rewriting.from);
    for (; at >= 0; at = out.indexOf(rewriting.from, at + 1)) {
      const behind = out.subarray(at + rewriting.from.length).subarray(0, 8);
      // In a format description, whose checksum covers it.
      if (behind.length === 8 && behind.every((byte) => byte === 0)) continue;
      out.write(rewriting.to, at);
      rewritten++;
    }
    return out;
  };
  const server = net.createServer((client) => {
    const upstream = net.connect(options.port, "127.0.0.1");
    for (const [one, other, rewriting] of [
      [client, upstream, options.clientSays],
      [upstream, client, options.serverSays],
    ] as const) {
      sockets.add(one);
      one.on("data", (bytes) => other.write(rewrite(bytes, rewriting)));
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    get rewritten() {
      return rewritten;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

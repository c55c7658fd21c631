/**
 * Two processes, each on one of the three runtimes, in all nine pairs, over TCP and over TLS with
 * certificates of both sides: bytes both ways at once, a side that stops reading, and both ways to end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RUNTIMES } from "../../../demo/runtimes.ts";
import { createAuthority } from "../../support/authority.ts";
import { whyNot } from "../../support/runtimes.ts";
import { OFFERED_BYTES, STALLED_BYTES_MAX } from "../stalled.ts";
import { PeerProcess } from "./processes.ts";

const MIB = 1024 * 1024;
const EXCHANGE_BYTES = 64 * MIB;
/**
 * What a stall may add to the memory of a process: the queues above (2 MiB), the blocks that were
 * written and not yet collected (no more than STALLED_BYTES_MAX, in clear and encrypted), and what a heap
 * keeps in reserve. What the kernel holds is in no process. Without back-pressure it is OFFERED_BYTES.
 */
const STALLED_GROWTH_MAX = 128 * MIB;
/** Peak while 128 MiB pass: what the heap takes before it collects, and not the streams themselves. */
const EXCHANGE_PEAK_MAX = 384 * MIB;
/** More than a side reads by itself. */
const UNREAD_BYTES = 8 * MIB;
const HOST = "127.0.0.1";

const authority = await createAuthority("pairs");
const credentials = {
  server: await authority.issue("server"),
  client: await authority.issue("client"),
};

interface Pair {
  readonly server: PeerProcess;
  readonly client: PeerProcess;
  readonly port: number;
  readonly secure: boolean;
}

async function connect({ server, client, port, secure }: Pair): Promise<void> {
  await Promise.all([
    client.tell({ do: "connect", host: HOST, port }),
    server.tell({ do: "accept" }),
  ]);
  if (!secure) return;
  const { ca } = authority;
  const both = { ca, minVersion: "TLSv1.3" } as const;
  const infos = await Promise.all([
    server.tell({
      do: "secure",
      tls: { role: "server", clientCert: "require", ...credentials.server, ...both },
    }),
    client.tell({
      do: "secure",
      tls: { role: "client", serverName: "", verify: "ca", ...credentials.client, ...both },
    }),
  ]);
  for (const info of infos) assert.deepEqual(info, { version: "TLSv1.3", authorized: true });
}

async function exchange({ server, client }: Pair): Promise<void> {
  const bytes = EXCHANGE_BYTES;
  const [atServer, atClient] = await Promise.all([
    server.tell({ do: "exchange", bytes }),
    client.tell({ do: "exchange", bytes }),
  ]);
  assert.equal(atClient.received, atServer.sent);
  assert.equal(atServer.received, atClient.sent);
  for (const one of [server, client]) {
    const { peakBytes } = await one.tell({ do: "memory" });
    assert.ok(peakBytes < EXCHANGE_PEAK_MAX, `${one.runtime} took ${mib(peakBytes)} MiB`);
  }
}

/** `writer` meets a `reader` that has stopped reading, and still sends: that way must not be held up. */
async function stall(writer: PeerProcess, reader: PeerProcess): Promise<void> {
  const before = await Promise.all([writer, reader].map((one) => one.tell({ do: "memory" })));
  const other = 16 * MIB;
  const [stalled, sent, received] = await Promise.all([
    writer.tell({ do: "stall", mostBytes: OFFERED_BYTES }),
    reader.tell({ do: "send", bytes: other }),
    writer.tell({ do: "receive", bytes: other }),
  ]);
  assert.equal(received, sent);
  assert.equal(stalled.goesOn, false);
  const taken = `${reader.runtime} took ${mib(stalled.sentBytes)} MiB of ${writer.runtime}`;
  assert.ok(stalled.sentBytes < STALLED_BYTES_MAX, taken);
  assert.ok(stalled.queuedBytes > 0 && stalled.queuedBytes <= stalled.sentBytes);
  const after = await Promise.all([writer, reader].map((one) => one.tell({ do: "memory" })));
  for (const [index, one] of [writer, reader].entries()) {
    const grown = after[index]!.peakBytes - before[index]!.rssBytes;
    assert.ok(grown < STALLED_GROWTH_MAX, `${one.runtime} grew by ${mib(grown)} MiB`);
  }
  // It reads again: nothing is lost, and the writer has room.
  const [drained, all] = await Promise.all([
    writer.tell({ do: "drain" }),
    reader.tell({ do: "receive", bytes: stalled.sentBytes }),
  ]);
  assert.equal(all, stalled.sent);
  assert.equal(drained.queuedBytes, 0);
}

async function ends(pair: Pair): Promise<void> {
  const { server, client } = pair;
  for (const [leaving, staying] of [
    [server, client],
    [client, server],
  ] as const) {
    await leaving.tell({ do: "end" });
    assert.deepEqual(await staying.tell({ do: "closed" }), { kind: "eof", writes: false });
    assert.deepEqual(await leaving.tell({ do: "closed" }), { kind: "local", writes: false });
    await connect(pair);
    // Bytes are left unread: the kernel of who leaves answers with a reset.
    await staying.tell({ do: "stall", mostBytes: UNREAD_BYTES });
    await leaving.tell({ do: "destroy" });
    assert.deepEqual(await staying.tell({ do: "closed" }), { kind: "reset", writes: false });
    await connect(pair);
  }
  await client.kill();
  const { kind } = await server.tell({ do: "closed" });
  assert.ok(kind === "eof" || kind === "reset", kind);
}

const mib = (bytes: number): number => Math.round(bytes / MIB);

for (const serverRuntime of RUNTIMES) {
  for (const clientRuntime of RUNTIMES) {
    for (const secure of [false, true]) {
      const title = `${serverRuntime} serves ${clientRuntime} over ${secure ? "TLS" : "TCP"}`;
      const skip = whyNot(serverRuntime) || whyNot(clientRuntime);
      test(title, { skip, timeout: 15 * 60_000 }, async () => {
        const server = await PeerProcess.start(serverRuntime);
        const client = await PeerProcess.start(clientRuntime);
        try {
          const { port } = await server.tell({ do: "listen", host: HOST });
          const pair = { server, client, port, secure };
          await connect(pair);
          await exchange(pair);
          await stall(server, client);
          await stall(client, server);
          await ends(pair);
        } finally {
          await Promise.all([server.stop(), client.stop()]);
        }
      });
    }
  }
}

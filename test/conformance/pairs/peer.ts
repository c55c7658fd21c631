/**
 * One end of a connection between two runtimes: a process that does what it is told, with the platform
 * of its runtime and nothing else.
 *
 *   peer.ts PORT    the port at which its test listens
 *
 * It dials the test and gets commands, one JSON object a line; each is answered by one line in its
 * turn, {"done": …} or {"failed": "…"}.
 */
import { decodeText, encodeText } from "../../../src/base/bytes.ts";
import type { Conn, TlsClientOptions, TlsServerOptions } from "../../../src/platform/net.ts";
import { thisPlatform } from "../../support/this-platform.ts";
import { receiveStream, type Stalled, sendStream, writeUntilStalled } from "./streams.ts";

export type Command =
  | { readonly do: "listen"; readonly host: string }
  | { readonly do: "connect"; readonly host: string; readonly port: number }
  /** The next connection that came in. */
  | { readonly do: "accept" }
  | { readonly do: "secure"; readonly tls: TlsServerOptions | TlsClientOptions }
  /** Sends and receives so many bytes at once. */
  | { readonly do: "exchange"; readonly bytes: number }
  | { readonly do: "send" | "receive"; readonly bytes: number }
  /** Writes to a side that does not read, `mostBytes` when it takes all of them. */
  | { readonly do: "stall"; readonly mostBytes: number }
  | { readonly do: "drain" | "end" | "destroy" | "memory" }
  /** Reads until the stream ends. */
  | { readonly do: "closed" };

export interface Answers {
  readonly listen: { readonly port: number };
  readonly connect: null;
  readonly accept: null;
  readonly secure: { readonly version: string; readonly authorized: boolean };
  readonly exchange: { readonly sent: string; readonly received: string };
  readonly send: string;
  readonly receive: string;
  readonly stall: Stalled;
  readonly drain: { readonly queuedBytes: number };
  readonly end: null;
  readonly destroy: null;
  readonly memory: { readonly rssBytes: number; readonly peakBytes: number };
  readonly closed: { readonly kind: string; readonly writes: boolean };
}

const CONNECT_MS = 10_000;
const SAMPLE_MS = 5;
const platform = await thisPlatform();
const { net, clock, process } = platform;

const waiting: Conn[] = [];
let arrived = (): void => {};
let current: Conn | null = null;
let peakBytes = 0;

function sample(): void {
  peakBytes = Math.max(peakBytes, process.rssBytes());
  clock.after(SAMPLE_MS, sample);
}

function conn(): Conn {
  if (current === null) throw new Error("There is no connection yet");
  return current;
}

async function run(command: Command): Promise<Answers[Command["do"]]> {
  switch (command.do) {
    case "listen": {
      const listener = await net.listen({ host: command.host, port: 0 }, (one) => {
        waiting.push(one);
        arrived();
      });
      return { port: listener.address.port };
    }
    case "connect":
      current = await net.connect(command, CONNECT_MS);
      return null;
    case "accept":
      while (waiting.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      current = waiting.shift()!;
      return null;
    case "secure": {
      current = await conn().startTls(command.tls);
      const { version, authorized } = current.tls!;
      return { version, authorized };
    }
    case "exchange": {
      const [sent, received] = await Promise.all([
        sendStream(conn(), platform, command.bytes),
        receiveStream(conn(), platform, command.bytes),
      ]);
      return { sent, received };
    }
    case "send":
      return sendStream(conn(), platform, command.bytes);
    case "receive":
      return receiveStream(conn(), platform, command.bytes);
    case "stall":
      return writeUntilStalled(conn(), platform, command.mostBytes);
    case "drain": {
      // Above the mark nothing may be left of it; the rest goes by itself.
      await conn().drained();
      while (conn().queuedBytes > 0) await new Promise<void>((resolve) => clock.soon(resolve));
      return { queuedBytes: conn().queuedBytes };
    }
    case "end":
      conn().end();
      return null;
    case "destroy":
      conn().destroy();
      return null;
    case "memory": {
      const answer = { rssBytes: process.rssBytes(), peakBytes };
      peakBytes = 0;
      return answer;
    }
    case "closed": {
      while ((await conn().read()) !== null);
      const { kind } = await conn().closed;
      return { kind, writes: conn().write([Uint8Array.of(1)]) };
    }
  }
}

const control = await net.connect({ host: "127.0.0.1", port: Number(process.argv[0]) }, CONNECT_MS);
sample();
let text = "";
for (let bytes = await control.read(); bytes !== null; bytes = await control.read()) {
  text += decodeText(bytes);
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
    const { id, ...command } = JSON.parse(text.slice(0, end)) as Command & { id: number };
    text = text.slice(end + 1);
    // Several may run at once: who sends may be told to receive meanwhile.
    void run(command as Command)
      .then((done) => ({ id, done }))
      .catch((error: Error) => ({ id, failed: `${error.name}: ${error.message}` }))
      .then((answer) => control.write([encodeText(`${JSON.stringify(answer)}\n`)]));
  }
}
process.exit(0);

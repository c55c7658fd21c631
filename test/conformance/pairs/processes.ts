/** Processes of the pairs: a peer on any runtime, and the channel on which it is told what to do. */
import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { commandOf, type Runtime } from "../../../demo/runtimes.ts";
import type { Answers, Command } from "./peer.ts";

const LAST_WORDS = 4_000;

/** Starts a script of the suite, with no more rights on Deno than a node has. */
export function startScript(
  runtime: Runtime,
  script: string,
  args: readonly string[],
  write: readonly string[] = [os.tmpdir()],
): ChildProcess {
  const main = path.join(import.meta.dirname, "..", script);
  const { file, args: first } = commandOf(runtime, main, { write, nodeArgs: [] });
  return spawn(file, [...first, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    // Deno would ask its makers whether there is a newer one.
    env: { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
  });
}

export class PeerProcess {
  readonly runtime: Runtime;
  readonly #child: ChildProcess;
  readonly #listener: Server;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, PromiseWithResolvers<never>>();
  #nextId = 1;
  #said = "";

  private constructor(runtime: Runtime, child: ChildProcess, listener: Server, socket: Socket) {
    this.runtime = runtime;
    this.#child = child;
    this.#listener = listener;
    this.#socket = socket;
    createInterface({ input: socket }).on("line", (line) => {
      const { id, done, failed } = JSON.parse(line);
      const asked = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failed === undefined) asked?.resolve(done as never);
      else asked?.reject(new Error(`${runtime}: ${failed}`));
    });
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#said = `${this.#said}${text}`.slice(-LAST_WORDS);
      });
    }
    child.once("exit", (code, signal) => {
      const error = new Error(`${runtime} ended (${code ?? signal}); it said: ${this.#said}`);
      for (const asked of this.#waiting.values()) asked.reject(error);
      this.#waiting.clear();
    });
    socket.on("error", () => {});
  }

  static async start(runtime: Runtime): Promise<PeerProcess> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as { port: number };
    const child = startScript(runtime, "pairs/peer.ts", [String(port)]);
    let said = "";
    child.stderr!.on("data", (text) => {
      said += text;
    });
    const socket = await new Promise<Socket>((resolve, reject) => {
      listener.once("connection", resolve);
      child.once("exit", () => reject(new Error(`${runtime} did not start: ${said}`)));
    });
    return new PeerProcess(runtime, child, listener, socket);
  }

  tell<C extends Command>(command: C): Promise<Answers[C["do"]]> {
    const id = this.#nextId++;
    const asked = Promise.withResolvers<never>();
    this.#waiting.set(id, asked);
    this.#socket.write(`${JSON.stringify({ id, ...command })}\n`);
    return asked.promise;
  }

  /** SIGKILL: its kernel closes what it had open. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    this.#socket.destroy();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}

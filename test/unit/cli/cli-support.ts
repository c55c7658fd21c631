/** The command line on the simulated platform, talking to a node that answers from memory. */
import { GEO } from "../../../geo/policies.ts";
import { World } from "../../../runtime/memory/world.ts";
import { nodeCrypto } from "../../../runtime/node/crypto.ts";
import { createApp } from "../../../src/admin/app.ts";
import { encodeText } from "../../../src/base/bytes.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { runCli } from "../../../src/cli/cli.ts";
import { FakeNode } from "../admin/fake-node.ts";

export const TOKEN = "0123456789abcdef0123456789abcdef";

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class CliWorld {
  readonly world: World = new World(1);
  readonly node: FakeNode = new FakeNode();
  /** The node answers requests. */
  up = true;
  token: string = TOKEN;
  readonly env: Record<string, string | undefined> = { BINRAFT_TOKEN: TOKEN };

  file(path: string, text: string): void {
    this.#machine.process.files.set(path, encodeText(text));
  }

  get files(): ReadonlyMap<string, Uint8Array> {
    return this.#machine.process.files;
  }

  get #machine(): ReturnType<World["machine"]> {
    return this.world.machine("a");
  }

  async run(...argv: readonly string[]): Promise<Ran> {
    const state = this.#machine.process;
    state.argv = argv;
    state.env = { ...this.env };
    state.output.stdout = "";
    state.output.stderr = "";
    const platform = this.#machine.start();
    const app = createApp({
      node: this.node,
      clock: { mono: () => 0, soon: queueMicrotask },
      crypto: nodeCrypto,
      token: this.token,
      hostNames: [],
      openMetrics: false,
      replay: null,
      logger: silentLogger,
    });
    const running = runCli({
      platform,
      policies: GEO,
      fetch: async (url, init) => {
        if (!this.up)
          throw new TypeError("fetch failed", {
            cause: Object.assign(new Error(), { code: "ECONNREFUSED" }),
          });
        return app.request(url, init);
      },
      demo: () => Promise.resolve({ demo: async (args) => args.length }),
      hosting: () => null,
    });
    let done = false;
    const mark = (): void => {
      done = true;
    };
    running.then(mark, mark);
    await this.world.time.runUntil(() => done, 60_000);
    return { exit: await running, stdout: state.output.stdout, stderr: state.output.stderr };
  }
}

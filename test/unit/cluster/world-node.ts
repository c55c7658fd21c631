/** A node on the simulated platform, and the lines that it logs. */

import { GEO } from "../../../geo/policies.ts";
import { type Machine, World } from "../../../runtime/memory/world.ts";
import type { Logger } from "../../../src/base/logger.ts";
import type { RunningNode } from "../../../src/cluster/node.ts";
import type { NodeSettings } from "../../../src/cluster/node-settings.ts";
import { startNode } from "../../../src/cluster/start-node.ts";
import { ANY_SECRET } from "../../support/any-secret.ts";

export class NodeWorld {
  readonly world: World;
  /** "warn message {fields}". */
  readonly lines: string[] = [];

  constructor(seed: number) {
    this.world = new World(seed);
  }

  get machine(): Machine {
    return this.world.machine("node");
  }

  start(settings: Partial<NodeSettings> = {}): Promise<RunningNode> {
    const platform = this.machine.start();
    return this.world.time.run(() =>
      startNode({
        platform,
        logger: this.#logger(),
        policies: GEO,
        tls: null,
        settings: {
          name: "test",
          region: "",
          version: "0.0.0-test",
          dataDir: "data",
          serverId: null,
          mysqlAddress: { host: this.machine.address, port: 3307 },
          segmentBytes: 64 * 1024,
          retentionBytes: null,
          retentionHours: null,
          keepForAbsentHours: 24,
          requireTls: false,
          maxConnections: 200,
          allowOriginServerIds: false,
          source: null,
          accounts: new Map(),
          ...ANY_SECRET,
          cluster: null,
          ...settings,
        },
      }),
    );
  }

  #logger(): Logger {
    const put =
      (level: string) =>
      (message: string, fields?: object): void => {
        this.lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
      };
    const logger: Logger = {
      debug() {},
      info: put("info"),
      warn: put("warn"),
      error: put("error"),
      with: () => logger,
    };
    return logger;
  }
}

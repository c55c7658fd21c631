/**
 * How the source is logged in to, and what it means when it lets nobody in: with semi-sync, a
 * statement that changes accounts or certain variables can hold a lock that each login needs while
 * it waits, itself or behind another commit, for an ACK. MySQL's own replicas hang likewise.
 */
import type { Logger } from "../base/logger.ts";
import { type ClientConfig, ClientError, connect, type MysqlClient } from "../mysql/client.ts";
import type { Platform } from "../platform/platform.ts";
import type { SourceConfig } from "./host.ts";

export const LOCKED_OUT: string =
  "The source takes connections and lets nobody log in. With semi-sync that happens when CREATE USER, GRANT or " +
  "SET GLOBAL waits for an ACK and holds what each login needs. From a session that is open: SET GLOBAL " +
  "rpl_semi_sync_source_enabled = OFF, and ON again once binraft pulls (BR2005)";

/** `name` is what the source's process list shows of it. */
export function clientConfig(config: SourceConfig, name = "binraft"): ClientConfig {
  const { host, port, user, password, tlsCa, tlsCert, tlsKey, publicKey, nativePassword } = config;
  return {
    host,
    port,
    user,
    password,
    tls: {
      mode: config.tls,
      ...(tlsCa === null ? {} : { ca: tlsCa }),
      ...(tlsCert === null ? {} : { cert: tlsCert }),
      ...(tlsKey === null ? {} : { key: tlsKey }),
    },
    ...(publicKey === null ? {} : { publicKey }),
    nativePassword,
    attributes: { program_name: name, _client_role: "binary_log_listener" },
    queryTimeoutMs: 30_000,
  };
}

/** Logs in for all that is asked of the source, and remembers whether it hangs. */
export class SourceLogin {
  readonly #platform: Platform;
  readonly #logger: Logger;
  #hangs = false;

  constructor(platform: Platform, logger: Logger) {
    this.#platform = platform;
    this.#logger = logger;
  }

  /** The newest login timed out behind a connection that was taken, where commits wait for ACKs. */
  get hangs(): boolean {
    return this.#hangs;
  }

  /** Another source, or none. */
  forget(): void {
    this.#hangs = false;
  }

  async connect(config: SourceConfig, name?: string, signal?: AbortSignal): Promise<MysqlClient> {
    try {
      const client = await connect(clientConfig(config, name), this.#platform, signal);
      if (this.#hangs) this.#logger.info("The source lets binraft log in again");
      this.#hangs = false;
      return client;
    } catch (error) {
      if (error instanceof ClientError && error.code === "no-login" && config.semiSync) {
        if (!this.#hangs)
          this.#logger.warn(LOCKED_OUT, { source: `${config.host}:${config.port}` });
        this.#hangs = true;
      }
      throw error;
    }
  }
}

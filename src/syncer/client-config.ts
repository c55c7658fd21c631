/** How the source is logged in to. */
import type { ClientConfig } from "../mysql/client.ts";
import type { SourceConfig } from "./host.ts";

export function clientConfig(config: SourceConfig): ClientConfig {
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
    attributes: { program_name: "binraft", _client_role: "binary_log_listener" },
    queryTimeoutMs: 30_000,
  };
}

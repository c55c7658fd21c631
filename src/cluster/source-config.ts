/** From replicated source settings to what the syncer connects with: secrets are read at each use. */
import { printable } from "../base/logger.ts";
import { DiskError } from "../platform/disk.ts";
import type { Process } from "../platform/process.ts";
import type { SourceConfig } from "../syncer/host.ts";
import type { SourceSettings } from "./command.ts";
import { OperationError } from "./operations.ts";

export async function resolveSource(
  settings: SourceSettings,
  process: Process,
  serverUuid: string,
): Promise<SourceConfig> {
  const { host, port, user, tls, semiSync, nativePassword, serverId, keepConnection } = settings;
  return {
    host,
    port,
    user,
    tls,
    semiSync,
    nativePassword,
    serverId,
    serverUuid,
    keepConnection,
    password: await readSecret(settings.passwordRef, process),
    tlsCa: await readOptional(settings.tlsCa, "source.tls_ca", process),
    tlsCert: await readOptional(settings.tlsCert, "source.tls_cert", process),
    tlsKey: await readOptional(settings.tlsKey, "source.tls_key", process),
    publicKey: await readOptional(settings.publicKeyFile, "source.public_key_file", process),
  };
}

/** `file:PATH` or `env:NAME`; a trailing newline of a file is not part of the secret. */
async function readSecret(reference: string | null, process: Process): Promise<string> {
  if (reference === null) return "";
  if (reference.startsWith("env:")) {
    const name = reference.slice(4);
    const value = process.env[name];
    if (value !== undefined) return value;
    throw new OperationError(
      "invalid",
      `The environment has no "${name}": it is to hold the source's password`,
    );
  }
  const path = reference.startsWith("file:") ? reference.slice(5) : reference;
  return (await read(path, "source.password_file", process)).replace(/\r?\n$/, "");
}

async function readOptional(
  path: string | null,
  option: string,
  process: Process,
): Promise<string | null> {
  return path === null ? null : read(path, option, process);
}

async function read(path: string, option: string, process: Process): Promise<string> {
  try {
    return await process.readTextFile(path);
  } catch (error) {
    const code = error instanceof DiskError ? error.code : String(error);
    throw new OperationError("invalid", `Cannot read "${path}" (${option}): ${code}`);
  }
}

/** For status and log, without secrets. */
export function describeSource(source: SourceSettings | null): string {
  return source === null
    ? ""
    : `mysql://${printable(source.user, 64)}@${printable(source.host, 255)}:${source.port}`;
}

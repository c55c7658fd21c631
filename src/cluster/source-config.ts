/** From replicated source settings to what the syncer connects with: secrets are read at each use. */
import { printable } from "../base/logger.ts";
import {
  type FileLimits,
  KEY_FILE,
  type Process,
  PUBLIC_FILE,
  SECRET_FILE,
  whyUnread,
} from "../platform/process.ts";
import type { SourceConfig } from "../syncer/host.ts";
import type { SourceSettings } from "./command.ts";
import { OperationError, type SourceChange } from "./operations.ts";
import { isSealed, type Seal } from "./seal.ts";
import { type SecretPlaces, whyNotNamed } from "./secret-places.ts";

/** What a node reads the source's secrets with. */
export interface SecretReader {
  readonly process: Pick<Process, "env" | "readTextFile">;
  readonly seal: Seal;
}

/** Rejects with OperationError, which names the setting and says what to do. */
export async function resolveSource(
  settings: SourceSettings,
  reader: SecretReader,
  serverUuid: string,
): Promise<SourceConfig> {
  const { host, port, user, tls, semiSync, nativePassword, serverId, keepConnection } = settings;
  const pem = (value: string | null, option: string): Promise<string | null> =>
    readPem(value, option, host, reader);
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
    password: await readPassword(settings.passwordRef, host, reader),
    tlsCa: await pem(settings.tlsCa, "source.tls_ca"),
    tlsCert: await pem(settings.tlsCert, "source.tls_cert"),
    tlsKey: await pem(settings.tlsKey, "source.tls_key"),
    publicKey: await pem(settings.publicKeyFile, "source.public_key_file"),
  };
}

/**
 * What is a secret in a change of the source's settings, sealed: this goes to the leader and into the log. Another
 * host is another server, which nobody has said yet may have the password.
 */
export async function sealChange(
  change: SourceChange,
  old: SourceSettings | null,
  seal: Seal,
  places: SecretPlaces,
): Promise<Partial<SourceSettings>> {
  mustBeNamed(change, places);
  const { password, ...rest } = change;
  const host = change.host ?? old?.host ?? "";
  if (password !== undefined && change.passwordRef !== undefined)
    throw new OperationError("invalid", "The password is given twice: password and passwordRef");
  if (old !== null && old.host !== "" && host !== old.host) mustNameSecretsAnew(change, old);
  const sealed: { -readonly [K in keyof SourceSettings]?: SourceSettings[K] } = rest;
  for (const field of PEM_FIELDS) {
    const value = rest[field];
    if (value != null && isPem(value)) sealed[field] = blocksOf(value);
  }
  if (password !== undefined) sealed.passwordRef = await seal.seal(password, PASSWORD, host);
  if (sealed.tlsKey != null && isPem(sealed.tlsKey))
    sealed.tlsKey = await seal.seal(sealed.tlsKey, "source.tls_key", host);
  return sealed;
}

const PEM_FIELDS = ["tlsCa", "tlsCert", "tlsKey", "publicKeyFile"] as const;

/** Without what stands around the blocks: MySQL ends the files that it makes for itself with a zero byte. */
function blocksOf(pem: string): string {
  const blocks = pem.match(/-----BEGIN [^-]+-----[\s\S]*?-----END [^-]+-----/g);
  if (blocks === null) throw new OperationError("invalid", "The PEM has a beginning and no end");
  return `${blocks.join("\n")}\n`;
}

function mustNameSecretsAnew(change: SourceChange, old: SourceSettings): void {
  const isNamed = change.password !== undefined || change.passwordRef !== undefined;
  if (old.passwordRef === null || isNamed) return;
  throw new OperationError(
    "conflict",
    `The password is for ${old.host}: another server gets it only if you name it again`,
    "give the password with the new host: --password-file FILE",
  );
}

const PASSWORD = "source.password_file";

/** `file:PATH`, `env:NAME` or sealed; a trailing newline of a file is not part of the secret. */
async function readPassword(
  reference: string | null,
  host: string,
  reader: SecretReader,
): Promise<string> {
  if (reference === null) return "";
  if (isSealed(reference)) return reader.seal.open(reference, PASSWORD, host);
  if (reference.startsWith("env:")) {
    const name = reference.slice(4);
    const value = reader.process.env[name];
    if (value !== undefined) return value;
    throw new OperationError(
      "invalid",
      `The environment has no "${name}": it is to hold the source's password`,
    );
  }
  const path = reference.replace(/^file:/, "");
  return (await read(path, PASSWORD, SECRET_FILE, reader)).replace(/\r?\n$/, "");
}

/** PEM itself, sealed, or the path of a file of it. */
async function readPem(
  value: string | null,
  option: string,
  host: string,
  reader: SecretReader,
): Promise<string | null> {
  if (value === null || isPem(value)) return value;
  if (isSealed(value)) return reader.seal.open(value, option, host);
  return read(value, option, option === "source.tls_key" ? KEY_FILE : PUBLIC_FILE, reader);
}

function isPem(value: string): boolean {
  return value.trimStart().startsWith("-----BEGIN ");
}

/** What a configuration names is the operator's own and is not asked here, also where another node seeded it. */
function mustBeNamed(change: SourceChange, places: SecretPlaces): void {
  const { passwordRef, tlsCa, tlsCert, tlsKey, publicKeyFile } = change;
  for (const reference of [passwordRef, tlsCa, tlsCert, tlsKey, publicKeyFile]) {
    if (reference == null || isPem(reference)) continue;
    const why = whyNotNamed(reference, places);
    if (why === null) continue;
    throw new OperationError(
      "invalid",
      why,
      "give the file to the verb instead, which reads it where you are: binraft syncer set --password-file FILE",
    );
  }
}

async function read(
  path: string,
  option: string,
  limits: FileLimits,
  { process }: SecretReader,
): Promise<string> {
  try {
    return await process.readTextFile(path, limits);
  } catch (error) {
    throw new OperationError("invalid", `Cannot read "${path}" (${option}): ${whyUnread(error)}`);
  }
}

/** For status and log, without secrets. */
export function describeSource(source: SourceSettings | null): string {
  return source === null
    ? ""
    : `mysql://${printable(source.user, 64)}@${printable(source.host, 255)}:${source.port}`;
}

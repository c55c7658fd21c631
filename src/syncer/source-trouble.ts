/**
 * What went wrong with the source, as a sentence, and the one thing to do about it. What is not known here is told
 * in the words of who failed.
 */
import { ClientError } from "../mysql/client-error.ts";
import { MysqlError } from "../mysql/errors.ts";
import { NetError } from "../platform/net.ts";

export interface Trouble {
  readonly reason: string;
  /** Empty where there is nothing to be done but wait. */
  readonly next: string;
}

const LOOK_AT_URL =
  "see that the source runs and that host and port are right: binraft syncer set mysql://user@host:3306";
const NO_SUCH_HOST: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_NONAME",
  "ENODATA",
]);
/** ER_ACCESS_DENIED_ERROR, and what a dump needs and the user lacks. */
const [ACCESS_DENIED, LACKS_PRIVILEGE] = [1045, 1227];

export function troubleWith(error: Error, { host, port }: { host: string; port: number }): Trouble {
  const errno = errnoOf(error);
  if (errno === LACKS_PRIVILEGE) {
    return {
      reason: "The source's user lacks a privilege",
      next: "on the source: GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO the user",
    };
  }
  if (errno === ACCESS_DENIED || isOf(error, "auth"))
    return {
      reason: error.message,
      next: "check user and password: binraft syncer set --password-file FILE",
    };
  if (isOf(error, "tls")) return certificate(error.message, host);
  if (isOf(error, "protocol"))
    return {
      reason: `No MySQL server answers at ${host}:${port}: ${error.message}`,
      next: LOOK_AT_URL,
    };
  if (isOf(error, "no-login")) {
    return {
      reason: error.message,
      next: "see that a MySQL server answers there; if one does, it lets nobody log in now (BR2005)",
    };
  }
  const code = error.cause instanceof NetError ? error.cause.code : "";
  if (NO_SUCH_HOST.has(code))
    return {
      reason: `No name server knows the source's host "${host}" (${code})`,
      next: LOOK_AT_URL,
    };
  if (code === "ECONNREFUSED")
    return {
      reason: `Nothing listens at the source's address ${host}:${port} (${code})`,
      next: LOOK_AT_URL,
    };
  if (isOf(error, "timeout"))
    return {
      reason: error.message,
      next: "see that the source runs, and what lies between: firewalls, routes",
    };
  return { reason: error.message, next: "" };
}

function isOf(error: Error, code: ClientError["code"]): boolean {
  return error instanceof ClientError && error.code === code;
}

function errnoOf(error: Error): number {
  if (error instanceof MysqlError) return error.errno;
  return error.cause instanceof MysqlError ? error.cause.errno : 0;
}

/** In the words of each runtime's TLS. */
function certificate(message: string, host: string): Trouble {
  if (/altname|does not match|not valid for name|NotValidForName/i.test(message)) {
    return {
      reason: `The source's certificate does not name "${host}"; those that MySQL makes for itself name no host`,
      next: 'set source.tls = "verify-ca": binraft syncer set --tls verify-ca, with --tls-ca for the source\'s ca.pem',
    };
  }
  if (/self.signed|unable to (verify|get)|UNABLE_TO|UnknownIssuer|unknown issuer/i.test(message)) {
    return {
      reason: `No CA that is known here has signed the source's certificate: ${message}`,
      next: "name the source's ca.pem: binraft syncer set --tls-ca ca.pem",
    };
  }
  return { reason: message, next: "check source.tls and source.tls_ca: binraft syncer check" };
}

/**
 * What our client fails with. `code` says what kind of trouble it is, because the syncer and
 * people act differently on each; an answer of the server itself is a MysqlError in `cause`.
 */
export type ClientErrorCode =
  /** Wrong user or password, or a way to log in that is not allowed here. */
  | "auth"
  /** TLS was asked for and is not there, or the certificate is not the right one. */
  | "tls"
  /** No connection, or it broke. */
  | "unreachable"
  /** The other side does not speak the protocol, or breaks its rules. */
  | "protocol"
  | "timeout"
  /** The server took the connection, and the login did not end in time. */
  | "no-login"
  /** The server refuses for a reason of its own, such as too many connections. */
  | "server"
  /** A result larger than allowed, or too many statements at once. */
  | "limit"
  | "closed";

export class ClientError extends Error {
  readonly code: ClientErrorCode;
  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ClientError";
    this.code = code;
  }
}

/**
 * TLS on a connection that is already open. A server hands the socket to a `tls.Server` that
 * never listens ("method B"): `new TLSSocket(…, { isServer })` would admit clients whose
 * certificate does not verify. `authorized` is checked once more for the same reason.
 * One server per upgrade: about a millisecond, and no guess which handshake an event is about.
 */
import { isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import tls, { type TLSSocket } from "node:tls";
import type { TlsInfo, TlsServerOptions } from "../../src/platform/net.ts";
import { NetError, type TlsClientOptions } from "../../src/platform/net.ts";
import { codeOf, netError } from "./errors.ts";

/** A peer that opens a connection and then says nothing must not hold it for ever. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export function secureServer(stream: Duplex, options: TlsServerOptions): Promise<TLSSocket> {
  const required = options.clientCert === "require";
  if (required && options.ca === undefined) {
    throw new NetError("EINVAL", "Client certificates are required but no CA is given: set one");
  }
  const server = tls.createServer({
    cert: options.cert,
    key: options.key,
    minVersion: options.minVersion ?? "TLSv1.2",
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: options.clientCert !== "none",
    rejectUnauthorized: required,
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      stream.destroy();
      reject(netError(error, "TLS handshake with the client failed"));
    };
    // Not at once: when the server itself closes it, why is told a moment later.
    const onClose = (): void =>
      void setImmediate(() => fail(new NetError("ECONNRESET", "the client closed the connection")));
    stream.once("close", onClose);
    server.once("tlsClientError", (error, socket) => fail(refusal(socket) ?? error));
    server.once("secureConnection", (socket: TLSSocket) => {
      stream.off("close", onClose);
      if (required && !socket.authorized) {
        socket.destroy();
        return fail(refusal(socket));
      }
      resolve(socket);
    });
    server.emit("connection", stream as Socket);
  });
}

export function secureClient(stream: Duplex, options: TlsClientOptions): Promise<TLSSocket> {
  const name = options.serverName;
  if (options.verify === "identity" && name === "") {
    throw new NetError("EINVAL", "Cannot verify the server's identity: its name is empty");
  }
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      socket: stream,
      // An address is checked against the certificate but never sent as SNI (RFC 6066, 3).
      ...(isIP(name) === 0 && name !== "" ? { servername: name } : {}),
      rejectUnauthorized: options.verify !== "none",
      checkServerIdentity: (_host, cert) =>
        options.verify === "identity" ? tls.checkServerIdentity(name, cert) : undefined,
      minVersion: options.minVersion ?? "TLSv1.2",
      ...(options.ca === undefined ? {} : { ca: options.ca }),
      ...(options.cert === undefined ? {} : { cert: options.cert }),
      ...(options.key === undefined ? {} : { key: options.key }),
    });
    const timer = setTimeout(() => {
      fail(new NetError("ETIMEDOUT", `no answer within ${HANDSHAKE_TIMEOUT_MS} ms`));
    }, HANDSHAKE_TIMEOUT_MS);
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      socket.on("error", () => {});
      socket.destroy();
      stream.destroy();
      reject(netError(error, `TLS handshake with ${name || "the server"} failed`));
    };
    const onClose = (): void =>
      fail(new NetError("ECONNRESET", "the server closed the connection"));
    socket.once("error", fail);
    socket.once("close", onClose);
    socket.once("secureConnect", () => {
      clearTimeout(timer);
      socket.off("error", fail);
      socket.off("close", onClose);
      if (options.verify !== "none" && !socket.authorized) return fail(refusal(socket));
      resolve(socket);
    });
  });
}

/** Why the other side's certificate was not accepted, if that is known. */
function refusal({ authorizationError }: TLSSocket): Error | null {
  // Typed as an Error; Node gives the code alone.
  const given = authorizationError as Error | string | null | undefined;
  if (!given) return null;
  return new NetError(codeOf(given, String(given)), `The certificate is not accepted: ${given}`);
}

export function tlsInfo(socket: TLSSocket, verified: boolean): TlsInfo {
  const cert = socket.getPeerCertificate() as ReturnType<TLSSocket["getPeerCertificate"]> | null;
  const name: unknown = cert?.subject?.CN;
  const commonName = Array.isArray(name) ? name[0] : name;
  return {
    version: socket.getProtocol() ?? "unknown",
    cipher: socket.getCipher()?.name ?? "unknown",
    authorized: verified && socket.authorized,
    ...(cert?.fingerprint256 ? { peerFingerprint256: cert.fingerprint256 } : {}),
    ...(typeof commonName === "string" ? { peerCommonName: commonName } : {}),
  };
}

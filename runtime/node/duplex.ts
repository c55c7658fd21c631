/**
 * A plain Duplex around a socket, for TLS on Deno only (`wrapDuplex`). There, pausing a TLS
 * socket neither stops the reading nor keeps the end of the stream, while pausing the raw
 * socket below a Duplex does both. Not for Bun: it would accept writes without bound.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

export interface WrappedSocket {
  readonly duplex: Duplex;
  /** Holds the raw socket back, whatever the Duplex asks for. */
  pause(): void;
  resume(): void;
}

export function wrapSocket(raw: Socket): WrappedSocket {
  let held = false;
  let wanted = true;
  const update = (): void => {
    if (held || !wanted) raw.pause();
    else raw.resume();
  };
  const duplex = new Duplex({
    read(): void {
      wanted = true;
      update();
    },
    write(chunk: Uint8Array, _encoding, done): void {
      raw.write(chunk, done);
    },
    writev(chunks, done): void {
      raw.cork();
      chunks.forEach(({ chunk }, index) => {
        raw.write(chunk, index === chunks.length - 1 ? done : undefined);
      });
      raw.uncork();
    },
    final(done): void {
      raw.end(() => done());
    },
    destroy(error, done): void {
      raw.destroy();
      done(error);
    },
  });
  raw.on("data", (chunk) => {
    if (!duplex.push(chunk)) {
      wanted = false;
      update();
    }
  });
  raw.on("end", () => duplex.push(null));
  raw.on("error", (error) => duplex.destroy(error));
  raw.on("close", () => duplex.destroy());
  return {
    duplex,
    pause(): void {
      held = true;
      update();
    },
    resume(): void {
      held = false;
      update();
    },
  };
}

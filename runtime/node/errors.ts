/**
 * System errors of the runtime as the errors of the platform contract. Only the code and a
 * message pass on; the original stays reachable as `cause`.
 */
import { DiskError } from "../../src/platform/disk.ts";
import { NetError } from "../../src/platform/net.ts";

export function codeOf(error: unknown, fallback: string): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : fallback;
}

export function netError(error: unknown, what: string): NetError {
  if (error instanceof NetError) return error;
  const code = codeOf(error, "EPROTO");
  // The AggregateError of a name with several addresses has no message of its own.
  const detail = error instanceof Error && error.message !== "" ? error.message : code;
  return new NetError(code, `${what}: ${detail}`, { cause: error });
}

export function diskError(error: unknown, what: string): DiskError {
  if (error instanceof DiskError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new DiskError(codeOf(error, "EIO"), `${what}: ${detail}`, { cause: error });
}

/**
 * The version that we greet with. It decides what clients do: below 8.3.0 a replica leaves its
 * tagged GTIDs out of the dump command, so what we show is never below.
 */
import { printable } from "../base/logger.ts";

const WITHOUT_SOURCE = "9.7.0-binraft";
const MAX_LENGTH = 48;

/** `sourceVersion` is null before a source is known. */
export function servedVersion(sourceVersion: string | null): string {
  const match = /^([0-9]{1,3})\.([0-9]{1,3})\./.exec(sourceVersion ?? "");
  if (match === null || sourceVersion === null) return WITHOUT_SOURCE;
  const major = Number(match[1]);
  const minor = Number(match[2]);
  // MariaDB counts on from 10 and is no MySQL.
  const known = major === 9 || (major === 8 && minor >= 3) || major > 9;
  if (!known || /mariadb/i.test(sourceVersion)) return WITHOUT_SOURCE;
  return `${printable(sourceVersion, MAX_LENGTH)}-binraft`;
}

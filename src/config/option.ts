/** One option: its names come from section and key (options.ts). */
import { type Kind, path } from "./kinds.ts";

export interface Option {
  readonly section: string;
  readonly key: string;
  readonly kind: Kind;
  /** As it would be written; null when there is none. */
  readonly standard: string | number | boolean | null;
  /** The key names a file with a secret in it. */
  readonly secret?: true;
  readonly help: string;
}

export function option(
  section: string,
  key: string,
  kind: Kind,
  standard: Option["standard"],
  help: string,
): Option {
  return { section, key, kind, standard, help };
}

export function secretFile(section: string, key: string, help: string): Option {
  return { section, key, kind: path, standard: null, secret: true, help };
}

/**
 * Which files and variables of a node the source's settings may name. Who has the admin token may choose the
 * settings, and the server that the secret is sent to: so not any file of the machine, but those that the
 * operator of the machine has put there for it, or named in the node's own configuration.
 */

export interface SecretPlaces {
  /** The files in it may be named. An absolute path. */
  readonly folder: string;
  /** What the node's configuration names itself: paths, `file:PATH`, `env:NAME`. */
  readonly named: ReadonlySet<string>;
}

const VARIABLE = /^env:BINRAFT_[A-Z0-9_]+$/;

/** A sentence; null when it may be used. */
export function whyNotNamed(reference: string, { folder, named }: SecretPlaces): string | null {
  if (named.has(reference)) return null;
  if (reference.startsWith("env:")) {
    return VARIABLE.test(reference)
      ? null
      : `The variable "${reference.slice(4)}" may not be used here: its name does not begin with BINRAFT_`;
  }
  const path = reference.replace(/^file:/, "");
  const isInside = path.startsWith(`${folder}/`) && !path.split("/").includes("..");
  return isInside
    ? null
    : `The file "${path}" may not be used here: it is not in ${folder} (node.secrets_dir), and the node's ` +
        "configuration does not name it";
}

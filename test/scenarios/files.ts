/** Finds the data-driven files: etcd raft's own, which are not part of this tree, and the project's. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { confChangeHandler } from "./confchange.ts";
import type { Handler } from "./datadriven.ts";
import { interactionHandler } from "./interaction/handler.ts";
import { handleQuorum } from "./quorum.ts";
import { type Outcome, rewriteText, runText } from "./runner.ts";

/** Names the folder with etcd raft's files, or a clone of its repository. */
export const ETCD_VARIABLE = "BINRAFT_ETCD_RAFT_TESTDATA";
const OWN = path.join(import.meta.dirname, "testdata");

export const KINDS = ["quorum", "confchange", "interaction"] as const;
export type Kind = (typeof KINDS)[number];

/** Each file starts with a fresh one. */
const HANDLERS: Readonly<Record<Kind, () => Handler>> = {
  quorum: () => handleQuorum,
  confchange: confChangeHandler,
  interaction: interactionHandler,
};

export interface ScenarioFile {
  readonly kind: Kind;
  /** For people: `interaction/campaign.txt`. */
  readonly label: string;
  readonly path: string;
}

/** null when the variable is not set. */
export function etcdFolder(): string | null {
  return process.env[ETCD_VARIABLE] || null;
}

export interface Found {
  readonly files: readonly ScenarioFile[];
  /** Kinds of which there is no file: to be said, or a missing part looks like a success. */
  readonly missing: readonly Kind[];
}

/** Throws when there is nothing at all. */
export function etcdFiles(folder: string): Found {
  const files = KINDS.flatMap((kind) => filesIn(kindFolder(folder, kind), kind, kind));
  if (files.length === 0) {
    throw new Error(
      `No file found in ${folder}: set ${ETCD_VARIABLE} to a folder that holds ` +
        "interaction/, quorum/ and confchange/, or to a clone of etcd-io/raft",
    );
  }
  return { files, missing: KINDS.filter((kind) => !files.some((file) => file.kind === kind)) };
}

/** In a clone those of interaction have no folder of that name, and the others stand beside code. */
function kindFolder(folder: string, kind: Kind): string {
  const plain = path.join(folder, kind);
  if (kind === "interaction") return existsSync(plain) ? plain : path.join(folder, "testdata");
  const below = path.join(plain, "testdata");
  return existsSync(below) ? below : plain;
}

export function ownFiles(): ScenarioFile[] {
  return KINDS.flatMap((kind) => filesIn(path.join(OWN, kind), kind, `own/${kind}`));
}

function filesIn(folder: string, kind: Kind, label: string): ScenarioFile[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(path.join(folder, name)).isFile())
    .filter((name) => !/(^|\/)\.|~$|(^|\/)#[^/]*#$/.test(name))
    .sort()
    .map((name) => ({ kind, label: `${label}/${name}`, path: path.join(folder, name) }));
}

/** A file that was named by hand; its folders tell its kind. */
export function namedFile(name: string): ScenarioFile {
  const folders = path.dirname(path.resolve(name)).split(path.sep);
  const kind = KINDS.find((one) => folders.includes(one)) ?? "interaction";
  return { kind, label: name, path: name };
}

export function runFile({ kind, path: name }: ScenarioFile): Outcome {
  return runText(readFileSync(name, "utf8"), HANDLERS[kind]());
}

/** Writes what came out back into the file. */
export function rewriteFile({ kind, path: name }: ScenarioFile): Outcome {
  const before = readFileSync(name, "utf8");
  const { text, ...outcome } = rewriteText(before, HANDLERS[kind]());
  if (text !== null && text !== before) writeFileSync(name, text);
  return outcome;
}

/** The files that the tidy test looks at, read once. */
import { globSync, readFileSync } from "node:fs";
import path from "node:path";

export const ROOT: string = path.join(import.meta.dirname, "../..");

export interface SourceFile {
  /** From the repository's root, with "/". */
  readonly path: string;
  readonly text: string;
}

export function files(...patterns: readonly string[]): SourceFile[] {
  return globSync([...patterns], {
    cwd: ROOT,
    exclude: (name) => name === "node_modules" || name === "dist" || name === ".cache",
  })
    .sort()
    .map((file) => ({ path: file, text: readFileSync(path.join(ROOT, file), "utf8") }));
}

export function code(): SourceFile[] {
  return files("{src,geo,runtime,demo,test,docs}/**/*.ts", "runtime/*.mjs");
}

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

/** Static and dynamic imports and re-exports. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  const text = withoutComments(file.text);
  const statement = /^(?:import|export)\s+(type\s+)?(?:[^;"']*?\s+from\s+)?["']([^"']+)["']/gm;
  for (const match of text.matchAll(statement)) {
    const names = /\{([^}]*)\}/.exec(match[0])?.[1]?.split(",") ?? [""];
    const allTypes = names.every((name) => name.trim() === "" || /^\s*type\s/.test(name));
    const bare = names.length === 1 && names[0]!.trim() === "";
    found.push({
      specifier: match[2]!,
      typeOnly: match[1] !== undefined || (allTypes && !bare),
    });
  }
  for (const match of text.matchAll(/\bimport\(\s*["']([^"']+)["']/g)) {
    found.push({ specifier: match[1]!, typeOnly: false });
  }
  return found;
}

/** Where a relative import leads, from the repository's root; null for a package. */
export function target(file: SourceFile, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  return path.posix.normalize(path.posix.join(path.posix.dirname(file.path), specifier));
}

export function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

/** Also without what stands in quotes, so that a word in a message is no use of it. */
export function bareCode(text: string): string {
  return withoutComments(text)
    .replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

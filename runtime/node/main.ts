/** `binraft` on Node. Knows everything: the platform, the command line, the demo. */
import { flushCompileCache } from "node:module";
import { flyHosting } from "../../geo/fly.ts";
import { GEO } from "../../geo/policies.ts";
import { runCli } from "../../src/cli/cli.ts";
import { nodePlatform } from "./platform.ts";
import { exitOnceWritten } from "./process.ts";

// Where NODE_COMPILE_CACHE names a folder, as in a checkout (package.json): what is left of the
// sources without their types then spares the next start half its time, and the memory of the
// compiler (27 MiB). Soon and not at the exit: a node may end by SIGKILL.
setTimeout(flushCompileCache, 2_000).unref();
const code = await runCli({
  platform: nodePlatform(),
  policies: GEO,
  fetch: (url, init) => fetch(url, init),
  demo: () => import("../../demo/main.ts"),
  hosting: flyHosting,
});
await exitOnceWritten(code);

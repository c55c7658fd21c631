/** `binraft` on Bun. */
import { flyHosting } from "../../geo/fly.ts";
import { GEO } from "../../geo/policies.ts";
import { runCli } from "../../src/cli/cli.ts";
import { exitOnceWritten } from "../node/process.ts";
import { bunPlatform } from "./platform.ts";

const code = await runCli({
  platform: bunPlatform(),
  policies: GEO,
  fetch: (url, init) => fetch(url, init),
  demo: () => import("../../demo/main.ts"),
  hosting: flyHosting,
});
await exitOnceWritten(code);

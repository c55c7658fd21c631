/** `binraft` on Deno; its permissions stand in deno.json. */
import { flyHosting } from "../../geo/fly.ts";
import { GEO } from "../../geo/policies.ts";
import { runCli } from "../../src/cli/cli.ts";
import { exitOnceWritten } from "../node/process.ts";
import { denoPlatform } from "./platform.ts";

const code = await runCli({
  platform: denoPlatform(),
  policies: GEO,
  fetch: (url, init) => fetch(url, init),
  demo: () => import("../../demo/main.ts"),
  hosting: flyHosting,
});
await exitOnceWritten(code);

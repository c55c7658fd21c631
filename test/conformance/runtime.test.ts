/** The platform contract on this runtime, plain and with TLS over a Duplex (Deno's way). */
import { nodePlatform } from "../../runtime/node/platform.ts";
import { conformance } from "./conformance.ts";
import { suite } from "./harness.ts";
import { mountGap, realHarness } from "./node-harness.ts";
import { tlsConformance } from "./tls.ts";

const gaps = await mountGap();
conformance("node", () => realHarness(nodePlatform()), gaps);
tlsConformance(
  suite("node, wrapDuplex", () => realHarness(nodePlatform({ wrapDuplex: true })), gaps),
);

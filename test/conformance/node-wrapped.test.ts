/** Deno's way of TLS, over a Duplex around the socket, on Node: the code is ours, and can be debugged here. */
import { nodePlatform } from "../../runtime/node/platform.ts";
import { suite } from "./harness.ts";
import { realHarness } from "./node-harness.ts";
import { startTlsConformance } from "./starttls.ts";
import { tlsConformance } from "./tls.ts";

const wrapped = nodePlatform({ wrapDuplex: true });
const under = suite("node, wrapDuplex", () => realHarness(wrapped), {});
tlsConformance(under);
startTlsConformance(under);

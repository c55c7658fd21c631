/**
 * One suite for every implementation of the platform contract (src/platform): the same tests
 * over Node, Bun, Deno and the simulation. It checks what the core relies on and nothing else.
 */
import { basicsConformance } from "./basics.ts";
import { diskConformance } from "./disk.ts";
import { type Gaps, type Harness, suite } from "./harness.ts";
import { httpConformance } from "./http.ts";
import { netConformance } from "./net.ts";
import { startTlsConformance } from "./starttls.ts";
import { tlsConformance } from "./tls.ts";

export function conformance(name: string, makeHarness: () => Promise<Harness>, gaps: Gaps): void {
  const under = suite(name, makeHarness, gaps);
  netConformance(under);
  tlsConformance(under);
  startTlsConformance(under);
  diskConformance(under);
  basicsConformance(under);
  httpConformance(under);
}

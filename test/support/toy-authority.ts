/** A CA on a simulated machine (authority.ts): its certificates mean something to simulated TLS only. */
import { toyCertificate } from "../../runtime/memory/certificate.ts";
import type { Platform } from "../../src/platform/platform.ts";
import { type Authority, around } from "./authority.ts";

export function toyAuthority({ clock, random }: Platform, commonName: string): Authority {
  const keyId = (): string => `${random.u32()}-${random.u32()}`;
  const signer = keyId();
  const made = (name: string, validity = around(clock.wall())) => ({
    commonName: name,
    altNames: [],
    ...validity,
  });
  return {
    ca: toyCertificate(made(commonName), signer).cert,
    issue: async (name, validity) => toyCertificate(made(name, validity), keyId(), signer),
  };
}

/** What TLS says of the other side's certificate, for the operator who has to mend it. */

const OTHER_CA =
  "is not signed by a CA of cluster.tls_ca: let that sign it, or put the CA that did into the file too";

/** By OpenSSL's names, which Bun and Deno use as well. */
const TROUBLES: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: OTHER_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OTHER_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: OTHER_CA,
  SELF_SIGNED_CERT_IN_CHAIN: OTHER_CA,
  CERT_SIGNATURE_FAILURE: OTHER_CA,
  CERT_UNTRUSTED: OTHER_CA,
  INVALID_CA: OTHER_CA,
  DEPTH_ZERO_SELF_SIGNED_CERT:
    "is self-signed, as a node's own is: set cluster.tls_ca, cluster.tls_cert and cluster.tls_key there too",
  CERT_HAS_EXPIRED: "or its CA's has expired: renew it, or set the clocks of both machines right",
  CERT_NOT_YET_VALID: "is not valid yet: set the clocks of both machines right",
  INVALID_PURPOSE:
    "is not for both ends of a connection: its extended key usage needs serverAuth and clientAuth",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: "is missing: it is no binraft node",
};

/** Null when the failure is about something else. */
export function certificateTrouble(code: string): string | null {
  const trouble = TROUBLES[code] ?? (code.startsWith("CERT_") ? `is not accepted: ${code}` : null);
  return trouble === null ? null : `The other side's certificate ${trouble}`;
}

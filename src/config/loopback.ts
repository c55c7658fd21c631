/** Which addresses only this machine can reach, and which stand for all of a machine. */

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(host);
}

/** To listen on; nobody connects to it. */
export function isAnyAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/**
 * What the provider at which this process runs says by the environment (contract; for Fly.io:
 * geo/fly.ts): values of options that are stronger than the defaults and weaker than whatever somebody
 * wrote.
 */
export interface HostingSettings {
  /** "Fly.io"; the origin of the values in messages. */
  readonly provider: string;
  /** By option, as text. */
  readonly values: Readonly<Record<string, string>>;
  /** What `cluster.discovery` is called here. */
  readonly discovery: "fly";
  /** Where other nodes reach this machine, whatever `listen` says. */
  readonly host: string;
  /** Further names by which the admin API is called. */
  readonly hostNames: readonly string[];
  /**
   * Machines of one organisation reach each other over encrypted links, and nobody else reaches them:
   * the admin API needs a token there and no TLS.
   */
  readonly hasPrivateNetwork: boolean;
  /** The command that sets a secret: `fly secrets set NAME=…`. */
  readonly secretCommand: (variable: string) => string;
}

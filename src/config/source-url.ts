/** `mysql://user@host:3306`: where the source is and who we are there. Never the password. */

export interface SourceAddress {
  readonly user: string;
  readonly host: string;
  readonly port: number;
}

const MYSQL_PORT = 3306;

/** The parts, or a sentence that says what is wrong (without what it was given). */
export function parseSourceUrl(text: string): SourceAddress | string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'expected "mysql://user@host:3306"';
  }
  if (url.protocol !== "mysql:") return 'expected "mysql://user@host:3306"';
  if (url.password !== "") {
    return (
      "a password inside the URL would show in process lists and logs: write the URL without it " +
      "and put it into the file that source.password_file names (or into BINRAFT_SOURCE_PASSWORD)"
    );
  }
  if (url.hostname === "") return "the host is missing";
  if (url.username === "") return 'the user is missing: write "mysql://user@host:3306"';
  if ((url.pathname !== "" && url.pathname !== "/") || url.search !== "" || url.hash !== "") {
    return "only user, host and port belong into it; TLS and the rest are options of their own";
  }
  let user: string;
  try {
    user = decodeURIComponent(url.username);
  } catch {
    return "the user has a broken % escape";
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { user, host, port: url.port === "" ? MYSQL_PORT : Number(url.port) };
}

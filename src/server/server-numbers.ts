/** The server's numbers as SHOW STATUS and COM_STATISTICS give them (manual, "Server Status Variables"). */
import type { TlsInfo } from "../platform/net.ts";
import type { ServerCounters } from "./shared.ts";

export interface ServerNumbers {
  readonly counters: Readonly<ServerCounters>;
  readonly connections: number;
  readonly dumps: number;
  readonly uptimeSeconds: number;
}

/** Name and value, by name; `tls` is of the connection that asks. */
export function statusRows(numbers: ServerNumbers, tls: TlsInfo | null): [string, string][] {
  const { counters } = numbers;
  const rows: [string, string | number][] = [
    ["Aborted_connects", counters.deniedLogins + counters.brokenLogins],
    ["Bytes_sent", counters.bytesSent],
    ["Connection_errors_max_connections", counters.refusedConnections],
    ["Connections", counters.connections],
    ["Queries", counters.commands],
    ["Questions", counters.commands],
    ["Ssl_cipher", tls?.cipher ?? ""],
    ["Ssl_version", tls?.version ?? ""],
    ["Threads_connected", numbers.connections],
    ["Threads_running", numbers.dumps + 1],
    ["Uptime", numbers.uptimeSeconds],
  ];
  return rows.map(([name, value]) => [name, String(value)]);
}

/** What `mysqladmin status` prints. */
export function statisticsText(numbers: ServerNumbers): string {
  const { uptimeSeconds: uptime, connections } = numbers;
  const questions = numbers.counters.commands;
  const average = (questions / Math.max(1, uptime)).toFixed(3);
  return `Uptime: ${uptime}  Threads: ${connections}  Questions: ${questions}  Slow queries: 0  Opens: 0  Flush tables: 0  Open tables: 0  Queries per second avg: ${average}`;
}

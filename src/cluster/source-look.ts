/** A look at a source from outside of the pull: what `syncer check` and `doctor` tell of it. */
import { printable } from "../base/logger.ts";
import { connect, type MysqlClient } from "../mysql/client.ts";
import type { Platform } from "../platform/platform.ts";
import type { SourceCheck, SourceConfig } from "../syncer/host.ts";
import { semiSyncCounters } from "../syncer/semi-sync-watch.ts";
import { privilegeCheck, readFacts, type SourceFacts } from "../syncer/source-checks.ts";
import { clientConfig } from "../syncer/source-login.ts";
import { troubleWith } from "../syncer/source-trouble.ts";

/** `more` adds what is to be asked besides. Never rejects for what is wrong with the source: that is a check. */
export async function lookAtSource(
  platform: Platform,
  config: SourceConfig,
  more: (client: MysqlClient, facts: SourceFacts) => Promise<readonly SourceCheck[]>,
): Promise<SourceCheck[]> {
  try {
    const client = await connect(clientConfig(config), platform);
    try {
      const facts = await readFacts(client, config);
      const connected: SourceCheck = {
        name: "connect",
        level: "ok",
        message: `Connected to ${config.host}:${config.port}, MySQL ${facts.version}`,
      };
      const privileges = await privilegeCheck(client);
      return [connected, privileges, ...facts.checks, ...(await more(client, facts))];
    } finally {
      client.close();
    }
  } catch (error) {
    const { reason, next } = troubleWith(error as Error, config);
    const message = printable(next === "" ? reason : `${reason}. Next: ${next}`, 1024);
    return [{ name: "connect", level: "fail", message }];
  }
}

/** Before a node runs: semi-sync that is on already makes each commit wait for nobody. */
export async function waitsForNobody(
  client: MysqlClient,
  facts: SourceFacts,
): Promise<readonly SourceCheck[]> {
  const on = facts.checks.find(({ name }) => /^rpl_semi_sync_.*_enabled$/.test(name));
  if (on?.level !== "ok" || (await semiSyncCounters(client)).clients > 0) return [];
  const message =
    "Semi-sync is on at the source and nobody acknowledges: its commits wait for the time-out. Switch it on " +
    `last, once binraft syncer show says RUNNING; until then SET GLOBAL ${on.name} = OFF`;
  return [{ name: on.name, level: "warn", message }];
}

/**
 * `binraft account`: who may replicate. The password is read here and turned into verifiers; only
 * these travel to the node.
 */
import type { Command } from "commander";
import { toHex } from "../../base/bytes.ts";
import type { AccountStatus } from "../../cluster/operations.ts";
import { createVerifiers } from "../../mysql/auth/verifier.ts";
import type { GlobalOptions } from "../context.ts";
import { readOwnSecret } from "../secrets.ts";
import { act, type VerbTable } from "../verb.ts";

interface SetOptions extends GlobalOptions {
  readonly passwordFile: string;
  readonly native?: boolean;
  readonly metadata?: boolean;
}

export function addAccountVerbs(program: Command, table: VerbTable): void {
  const account = program.command("account").description("the accounts that replicas log in with");
  account
    .command("list")
    .description("list them")
    .action(
      act(table, async (verb) => {
        const answer = await (await verb.connect()).get<{
          items: AccountStatus[];
        }>("/v1/accounts");
        const { output } = verb;
        output.result(answer, () => {
          if (answer.items.length === 0)
            return output.line("No account: binraft account set NAME --password-file FILE");
          output.table(
            ["NAME", "NATIVE_PASSWORD", "METADATA"],
            answer.items.map(({ name, native, metadata }) => [name, native, metadata]),
          );
        });
      }),
    );
  account
    .command("set")
    .argument("<NAME>")
    .requiredOption("--password-file <PATH>", "file with the password, read on this machine")
    .option("--native", "also allow mysql_native_password, for replicas that know nothing newer")
    .option("--metadata", "may ask about the source's tables, for clients that read row events")
    .description("make an account, or give it another password")
    .action(
      act<SetOptions>(table, async (verb, name) => {
        const { platform } = verb.context;
        const { passwordFile, native, metadata } = verb.options;
        const password = await readOwnSecret(platform.process, passwordFile, "--password-file");
        const made = createVerifiers(platform.crypto, password, { native: native === true });
        const body = {
          sha2: toHex(made.sha2),
          native: made.native === null ? null : toHex(made.native),
          ...(metadata ? { metadata } : {}),
        };
        const node = await verb.connect();
        const answer = await node.send("PUT", `/v1/accounts/${encodeURIComponent(name!)}`, body);
        verb.output.result(answer, () => verb.output.line(`Account "${name}" is set`));
      }),
    );
  account
    .command("remove")
    .argument("<NAME>")
    .description("remove an account; replicas that are connected stay so until they reconnect")
    .action(
      act(table, async (verb, name) => {
        await (await verb.connect()).remove(`/v1/accounts/${encodeURIComponent(name!)}`);
        verb.output.result({ removed: name }, () =>
          verb.output.line(`Account "${name}" is removed`),
        );
      }),
    );
}

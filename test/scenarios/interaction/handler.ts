/**
 * The interaction files: nodes, what is said between them, and the steps in which it happens. A
 * directive that prints nothing prints `ok`.
 */
import { BadFile, type Handler } from "../datadriven.ts";
import { refusal } from "../refused.ts";
import { COMMANDS } from "./commands.ts";
import { Environment } from "./environment.ts";

export function interactionHandler(): Handler {
  const env = new Environment();
  return (directive) => {
    const command = COMMANDS[directive.command];
    if (command === undefined) throw new BadFile(`unknown command: ${directive.command}`);
    env.output.take();
    const refused = refusal(() => command(env, directive));
    // An error is shown even where all else is muted.
    if (refused !== null && env.output.isQuiet) return refused;
    if (refused !== null) env.output.write(refused);
    return env.output.take() || "ok";
  };
}

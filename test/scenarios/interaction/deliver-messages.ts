/** `deliver-msgs 1 2 drop=(3) type=MsgApp`: to whom messages are delivered, and whose are lost. */
import { toNumber } from "../args.ts";
import { BadFile, type Directive } from "../datadriven.ts";
import type { Environment, Recipient } from "./environment.ts";

export function deliverMessages(env: Environment, { args }: Directive): void {
  let type: string | null = null;
  const recipients: Recipient[] = [];
  for (const { key, values } of args) {
    if (values.length === 0) recipients.push({ id: toNumber(key), drop: false });
    for (const value of values) {
      if (key === "type") type = messageType(value);
      else if (key === "drop") recipients.push({ id: toNumber(value), drop: true });
    }
  }
  for (const { id, drop } of recipients) {
    if (drop && recipients.some((other) => other.id === id && !other.drop)) {
      throw new BadFile(`messages to ${id} are delivered or dropped, not both`);
    }
  }
  if (env.deliver(type, recipients) === 0) env.output.write("no messages\n");
}

function messageType(name: string): string {
  if (!name.startsWith("Msg")) throw new BadFile(`unknown message type ${name}`);
  return name;
}

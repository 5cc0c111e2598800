import type { Condition, MoveCommand } from '../../migration/conditions.js';
import { print, printJson } from '../storage/output.js';
import type { MoveCommandContext, MoveOptions } from './move-context.js';

/** Shows the conditions of a command. @returns 0 when all hold. */
export async function runDry(
  command: MoveCommand,
  { json }: MoveOptions,
  { move }: MoveCommandContext,
): Promise<number> {
  const conditions = await move.conditions(command);
  const isReady = conditions.every(({ holds }) => holds);
  if (json === true) printJson({ command, ready: isReady, conditions });
  else
    print(...conditions.flatMap(conditionLines), isReady ? `${command} would be done` : `${command} would be refused`);
  return isReady ? 0 : 1;
}

/** A condition as it is shown. */
function conditionLines({ what, holds, found, instead }: Condition): readonly string[] {
  const mark = holds ? 'yes' : 'NO ';
  return [
    `  ${mark}  ${what}${found === undefined ? '' : ` (${found})`}`,
    ...(holds || instead === undefined ? [] : [`       instead: ${instead}`]),
  ];
}

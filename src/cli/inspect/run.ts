import { type Inspection, inspectMessage } from '../../app/doctor/inspect/inspection.js';
import { presentOf } from '../../app/doctor/present-move.js';
import { createCommon } from '../../core/common.js';
import type { Hex } from '../../core/hex.js';
import { readConfig } from '../config/read-config.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runCommand } from '../storage/run-command.js';
import { inspectionJson } from './json.js';
import { describeInspection } from './text.js';

/** Options of `inspect`. */
export interface InspectCommandOptions extends ConfigOptions {
  /** Milliseconds. */
  readonly limit: number;
  readonly json?: boolean;
}

const UNKNOWN = 1;
const DIFFERS = 2;

/** Prints all that is known of a message. @returns the exit code. */
export async function runInspect(messageId: Hex, options: InspectCommandOptions): Promise<number> {
  return await runCommand(readConfig(options), async ({ config, signal }) => {
    // an answer says what a log line would
    const common = createCommon();
    const { config: present } = await presentOf(config, common, signal);
    const inspection = await inspectMessage(messageId, { config: present, common, signal, limitMs: options.limit });
    if (options.json === true) printJson(inspectionJson(inspection));
    else print(...describeInspection(inspection));
    return exitCodeOf(inspection);
  });
}

function exitCodeOf({ body, differences }: Inspection): number {
  if (body === null) return UNKNOWN;
  return differences.length > 0 ? DIFFERS : 0;
}

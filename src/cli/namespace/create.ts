import { type CreatedThere, createNamespace } from '../../app/namespaces/create.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand } from '../storage/run-command.js';

/** Options of `namespace create`. */
export interface CreateOptions extends ConfigOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Creates a namespace, or brings it up to date. @returns the exit code. */
export async function create(namespace: string, options: CreateOptions): Promise<number> {
  const dryRun = options.dryRun === true;
  return await runStorageCommand(options, async ({ config, common, signal }) => {
    const created = await createNamespace(config, namespace, common, { dryRun, signal });
    if (options.json === true) printJson({ namespace, dryRun, backends: created });
    else print(...created.map((each) => `${each.backend} (${each.place}): ${outcomeOf(each, dryRun)}`));
    return 0;
  });
}

function outcomeOf({ wasThere, applied }: CreatedThere, dryRun: boolean): string {
  if (applied === null && !dryRun) return wasThere ? 'holds the namespace already' : 'ready for the first flush';
  if (dryRun) return wasThere ? 'is there already' : 'would be created';
  if (!wasThere) return 'created';
  return applied === 0 ? 'was there, up to date' : `was there, ${applied} migrations applied`;
}

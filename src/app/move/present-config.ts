import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { toError } from '../../core/errors.js';
import { viewMove } from '../../migration/move-ends.js';
import { openEnds } from './ends.js';
import { configIn } from './roles.js';

/**
 * The configuration as it stands in the present phase of its move, for a command that looks at the backends once: with
 * the database that leads in the place of `From`, and without `[Migration]`. Where neither database says who leads, the
 * configuration is taken as it is written.
 */
export async function presentConfig({ Migration, ...config }: Config, common: Common): Promise<Config> {
  if (Migration?.From === undefined) return config;
  const moving = { ...config, Migration };
  const ends = openEnds(moving, common);
  try {
    const { Migration: _, ...present } = configIn(moving, (await viewMove(ends)).state);
    return present;
  } catch (thrown) {
    common.log.warn({ err: toError(thrown) }, 'neither database says which of them leads: taking From');
    return config;
  } finally {
    await Promise.all([ends.from.storage.close(), ends.to.storage.close()]);
  }
}

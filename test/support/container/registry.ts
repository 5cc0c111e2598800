import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** How npm of an image reaches the registry as npm here does: files of this machine, each with its place in the image. */
export interface Registry {
  readonly files: readonly { readonly from: string; readonly to: string }[];
}

/** The settings and the cache of this machine's npm; the settings are written into `scratch`. */
export async function registryOfNpm(scratch: string): Promise<Registry> {
  const setting = async (name: string) =>
    (await promisify(execFile)('npm', ['config', 'get', name])).stdout.trim().replace(/^(null|undefined)$/, '');
  const [registry, cache, authorities] = [await setting('registry'), await setting('cache'), await setting('cafile')];
  const settings = join(scratch, 'npmrc');
  const lines = [`registry=${registry}`, 'prefer-offline=true', ...(authorities ? ['cafile=/root/ca.pem'] : [])];
  await writeFile(settings, `${lines.join('\n')}\n`);
  if (!existsSync(cache)) await mkdir(cache, { recursive: true });
  return {
    files: [
      { from: settings, to: '/root/.npmrc' },
      ...(authorities ? [{ from: authorities, to: '/root/ca.pem' }] : []),
      { from: cache, to: '/root/.npm' },
    ],
  };
}

import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** Shared by all runs of a user: an installation takes half a minute and half a gigabyte. */
const FOLDER = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ccv-python-engines');
const PACKAGES = ['deltalake==1.6.6', 'polars==2.1.0', 'pyarrow==26.0.1', 'pandas==3.1.1'];
const INSTALL_MS = 240_000;

/** Python with delta-rs, polars and pyarrow, or why there is none. */
export type PythonEngines =
  | { readonly run: (script: string, ...parameters: string[]) => Promise<unknown> }
  | { readonly missing: string };

/** Installs the engines where that was not done yet. */
export async function pythonEngines(): Promise<PythonEngines> {
  const python = join(FOLDER, 'bin', 'python');
  const isThere = await access(join(FOLDER, 'installed')).then(
    () => true,
    () => false,
  );
  try {
    if (!isThere) {
      await run('python3', ['-m', 'venv', FOLDER], { timeout: INSTALL_MS });
      await run(python, ['-m', 'pip', 'install', '--quiet', ...PACKAGES], { timeout: INSTALL_MS });
      await run('touch', [join(FOLDER, 'installed')]);
    }
  } catch (thrown) {
    return { missing: `delta-rs cannot be installed with pip: ${String(thrown).split('\n')[0]}` };
  }
  return {
    run: async (script, ...parameters) => {
      const { stdout } = await run(python, ['-c', script, ...parameters], { maxBuffer: 1 << 28 });
      return JSON.parse(stdout);
    },
  };
}

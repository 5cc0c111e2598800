import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { debianProgram } from '../debian-program.js';
import { makeBaseRoot } from './base-root.js';
import { instructionsOf } from './instructions.js';
import { type Registry, registryOfNpm } from './registry.js';
import { canMount } from './root-process.js';
import { walk } from './walk.js';

const run = promisify(execFile);

/** A built image: its files at `root`, and what it says of its processes. */
export interface Image {
  readonly root: string;
  /** `uid:gid` */
  readonly user: string;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** A built image with the base that it was built of. */
export interface BuiltImage {
  readonly image: Image;
  readonly baseRoot: string;
  /** `walk`: this machine lets no builder work, and the steps were walked in a directory. */
  readonly how: 'buildah' | 'walk';
  remove(): Promise<void>;
}

/** A build: its context and file, and the values of its arguments but for `BASE`. */
export interface Build {
  readonly context: string;
  readonly file: string;
  readonly args: Readonly<Record<string, string>>;
}

/**
 * Builds an image of a Containerfile by buildah, over a base of this machine's own Debian packages with the Node.js that the
 * file names: no registry of images is asked. Where namespaces of mounts are not to be had, its steps are walked instead.
 */
export async function buildImage(build: Build): Promise<BuiltImage> {
  const scratch = await mkdtemp(join(tmpdir(), 'ccv-image-'));
  await chmod(scratch, 0o711);
  const remove = () => rm(scratch, { recursive: true, force: true });
  try {
    const baseRoot = join(scratch, 'base');
    const instructions = instructionsOf(await readFile(build.file, 'utf8'));
    const base = instructions.find(({ name, text }) => name === 'ARG' && text.startsWith('BASE='));
    const [, nodeVersion = ''] = /\/node:([\d.]+)-bookworm-slim$/.exec(base?.text ?? '') ?? [];
    await makeBaseRoot(baseRoot, nodeVersion);
    const registry = await registryOfNpm(scratch);
    const how = (await canMount()) ? 'buildah' : 'walk';
    const image =
      how === 'buildah'
        ? await byBuildah(build, baseRoot, scratch, registry)
        : await walk(build, instructions, baseRoot, scratch, registry);
    return { image, baseRoot, how, remove };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}

async function byBuildah(build: Build, baseRoot: string, scratch: string, registry: Registry): Promise<Image> {
  const program = await debianProgram('buildah', '/usr/bin/buildah');
  const store = ['--root', join(scratch, 'store'), '--runroot', join(scratch, 'run'), '--storage-driver', 'vfs'];
  const buildah = async (...args: readonly string[]) => {
    const { stdout } = await run(program, [...store, ...args], { maxBuffer: 2 ** 26 });
    return stdout.trim();
  };
  await mkdir(join(scratch, 'run'));
  const empty = await buildah('from', 'scratch');
  await buildah('add', '--quiet', empty, baseRoot, '/');
  await buildah('commit', '--quiet', '--rm', empty, 'base');
  await buildah(
    ...['build', '--isolation', 'chroot', '--network', 'host', '--format', 'docker', '--quiet', '--tag', 'built'],
    ...registry.files.flatMap(({ from, to }) => ['--volume', `${from}:${to}`]),
    ...Object.entries({ BASE: 'localhost/base', ...build.args }).flatMap(([name, value]) => [
      '--build-arg',
      `${name}=${value}`,
    ]),
    ...['--file', build.file, build.context],
  );
  const { Docker } = JSON.parse(await buildah('inspect', '--type', 'image', 'built')) as {
    readonly Docker: { readonly config: DockerConfig };
  };
  const { config } = Docker;
  return {
    root: await buildah('mount', await buildah('from', '--pull-never', 'built')),
    user: config.User,
    directory: config.WorkingDir,
    environment: Object.fromEntries(config.Env.map((pair) => [pair.split('=')[0], pair.replace(/^\w+=/, '')])),
    entrypoint: config.Entrypoint,
    command: config.Cmd,
    healthcheck: config.Healthcheck.Test,
    labels: config.Labels,
  };
}

interface DockerConfig {
  readonly User: string;
  readonly WorkingDir: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Healthcheck: { readonly Test: readonly string[] };
  readonly Labels: Readonly<Record<string, string>>;
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTiedProcess } from '../../../scripts/devnet/anvil/tied-process.js';
import { systemClock } from '../../../src/core/clock.js';
import { debianProgram } from '../debian-program.js';
import { eventually } from '../eventually.js';
import { freePort } from '../free-port.js';

/** A sample of an answer. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A real Prometheus that scrapes once a second. */
export interface Prometheus {
  readonly url: string;
  /** The samples of an expression, now. */
  query(expression: string): Promise<readonly Sample[]>;
  close(): Promise<void>;
}

/** Starts a Prometheus whose job `ccv-indexer` are the admin ports at `targets`; `rules` are files in its directory. */
export async function startPrometheus(
  targets: readonly string[],
  rules: Readonly<Record<string, string>> = {},
): Promise<Prometheus> {
  const program = await debianProgram('prometheus', '/usr/bin/prometheus');
  const directory = await mkdtemp(join(tmpdir(), 'ccv-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: Object.keys(rules),
    scrape_configs: [
      { job_name: 'ccv-indexer', static_configs: [{ targets: targets.map((url) => new URL(url).host) }] },
    ],
  };
  // YAML knows JSON
  await writeFile(join(directory, 'prometheus.yml'), JSON.stringify(config));
  for (const [name, text] of Object.entries(rules)) await writeFile(join(directory, name), text);
  const address = `127.0.0.1:${await freePort()}`;
  const server = await startTiedProcess(
    program,
    [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=${address}`,
    ],
    systemClock,
  );
  const close = async () => {
    await server.stop(10_000);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await eventually('Prometheus to be ready', async () => {
      if (server.exit()) throw new Error(`Prometheus ended: ${server.output()}`);
      return (await fetch(`http://${address}/-/ready`).catch(() => null))?.ok === true;
    });
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return { url: `http://${address}`, query: askPrometheus(address), close };
}

/** The samples of an expression, now, of the Prometheus at `host:port`. */
export function askPrometheus(address: string): Prometheus['query'] {
  return async (expression) => {
    const url = `http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`;
    const answer = (await (await fetch(url)).json()) as Answer;
    if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error}`);
    return answer.data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  };
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
}

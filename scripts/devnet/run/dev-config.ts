import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { parseConfig } from '../../../src/config/load.js';
import { overlayTable } from '../../../src/config/overlay.js';
import type { Config } from '../../../src/config/schema/schema.js';
import type { Environment } from './environment.js';

/** The quickstart's configuration file. */
const QUICKSTART = new URL('../../../config/quickstart.toml', import.meta.url);

/**
 * `config/quickstart.toml` with the parts that exist only now: the chains, the committees, the database, the cold
 * tier's directory and the ports. `port` is the query API's, the admin port follows it; 0 lets the system choose both.
 * @throws ConfigError when the file was edited into something unusable.
 */
export function devConfig({ chains, deployment, committees, postgres, coldDir }: Environment, port: number): Config {
  const base = parse(readFileSync(QUICKSTART, 'utf8'));
  const made = {
    Chain: deployment.chains.map((chain, index) => ({
      Name: chain.name,
      Selector: chain.selector,
      RpcUrls: [chains[index]?.url, chains[index]?.wsUrl],
      OnRamp: chain.addresses.onRamp,
      OffRamp: chain.addresses.offRamp,
      StartBlock: chain.startBlock,
      Confirmations: 'latest',
      PollInterval: 500,
      RequestsPerSecond: 200,
    })),
    Verifier: committees.map(({ name, url, issuerAddresses }) => ({
      Type: 'rest',
      Name: `committee-${name}`,
      IssuerAddresses: [...issuerAddresses],
      BaseURL: url,
      RequestTimeout: 5,
      MaxBatchWaitTime: 50,
    })),
    API: { ListenAddress: '127.0.0.1', ListenPort: port },
    Admin: { ListenAddress: '127.0.0.1', ListenPort: port === 0 ? 0 : port + 1 },
    Storage: {
      Sink: { Storages: { warm: { Postgres: { URI: postgres.uri } }, cold: { S3: { Directory: coldDir } } } },
    },
  };
  return parseConfig(overlayTable(base, made), 'config/quickstart.toml');
}

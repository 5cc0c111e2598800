import { readFileSync } from 'node:fs';
import { parse, type TomlTable } from 'smol-toml';
import { parseConfig } from '../../../src/config/load.js';
import { overlayTable } from '../../../src/config/overlay.js';
import type { Config } from '../../../src/config/schema/schema.js';
import type { CommitteeAggregator, CommitteeVerifier } from '../lane/committee-verifier.js';
import { AGGREGATED_CHAIN, type Environment } from './environment.js';

/** The quickstart's configuration file. */
const QUICKSTART = new URL('../../../config/quickstart.toml', import.meta.url);

/**
 * `config/quickstart.toml` with the parts that exist only now: the chains, the committees, the database, the cold
 * tier's directory and the ports. `port` is the query API's, the admin port follows it; 0 lets the system choose both.
 * @throws ConfigError when the file was edited into something unusable.
 */
export function devConfig(environment: Environment, port: number): Config {
  const { committees, postgres, coldDir } = environment;
  const base = parse(readFileSync(QUICKSTART, 'utf8'));
  const made = {
    Chain: chainSections(environment),
    Discoveries: committees.flatMap(({ name, aggregator }) =>
      aggregator ? [{ Name: `committee-${name}`, ...access(aggregator), PollInterval: 500 }] : [],
    ),
    Verifier: committees.flatMap(verifierSections),
    API: { ListenAddress: '127.0.0.1', ListenPort: port },
    Admin: { ListenAddress: '127.0.0.1', ListenPort: port === 0 ? 0 : port + 1 },
    Storage: {
      Sink: { Storages: { warm: { Postgres: { URI: postgres.uri } }, cold: { S3: { Directory: coldDir } } } },
    },
  };
  return parseConfig(overlayTable(base, made), 'config/quickstart.toml');
}

function chainSections({ chains, deployment }: Environment): TomlTable[] {
  return deployment.chains.flatMap((chain, index) => {
    const { url, wsUrl } = chains[index] ?? {};
    if (url === undefined || wsUrl === undefined) return [];
    return {
      Name: chain.name,
      Selector: chain.selector,
      RpcUrls: [url, wsUrl],
      // messages of the other chain come from aggregators alone, its executions from its blocks
      ...(chain.name === AGGREGATED_CHAIN ? {} : { OnRamp: chain.addresses.onRamp }),
      OffRamp: chain.addresses.offRamp,
      StartBlock: chain.startBlock,
      Confirmations: 'latest',
      PollInterval: 500,
      RequestsPerSecond: 200,
    };
  });
}

function verifierSections({ name, url, issuerAddresses, aggregator }: CommitteeVerifier): TomlTable[] {
  const times = { RequestTimeout: 5, MaxBatchWaitTime: 50 };
  const rest = { Type: 'rest', Name: `committee-${name}`, IssuerAddresses: [...issuerAddresses], BaseURL: url };
  if (aggregator === null) return [{ ...rest, ...times }];
  const aggregated = {
    ...{ Type: 'aggregator', Name: `committee-${name}-aggregator`, ...access(aggregator) },
    IssuerAddresses: [...aggregator.issuerAddresses],
  };
  return [
    { ...rest, ...times },
    { ...aggregated, ...times },
  ];
}

function access({ address, apiKey, secret }: CommitteeAggregator): TomlTable {
  return { Address: address, APIKey: apiKey, Secret: secret, InsecureConnection: true };
}

import { stringify, type TomlTable } from 'smol-toml';
import { parseConfig } from '../../config/load.js';
import { ConfigError, type ConfigProblem } from '../../config/problems.js';

/** A chain as a person names it. */
export interface ChainDraft {
  readonly name: string;
  readonly selector: string;
  readonly rpcUrls: readonly string[];
  readonly onRamp?: string | undefined;
  readonly offRamp?: string | undefined;
  readonly startBlock?: number | undefined;
}

/** A verifier service by its URL, or by the address of its aggregator. */
export interface VerifierDraft {
  readonly name: string;
  readonly url?: string | undefined;
  readonly address?: string | undefined;
  readonly issuers: readonly string[];
}

/** Where records are kept for good. */
export type ColdDraft =
  | { readonly bucket: string; readonly region?: string | undefined; readonly endpoint?: string | undefined }
  | { readonly directory: string };

/** Everything that a first configuration says. */
export interface Draft {
  readonly namespace: string;
  readonly database: string;
  readonly chains: readonly ChainDraft[];
  readonly aggregators: readonly { readonly name: string; readonly address: string }[];
  readonly verifiers: readonly VerifierDraft[];
  readonly cold: ColdDraft | null;
  readonly adminToken: string;
}

/** The files of a draft as text. */
export interface DraftFiles {
  readonly config: string;
  readonly secrets: string;
}

const DAY_S = 86_400;

/** The two files of a draft, with a comment above each section. */
export function draftFiles(draft: Draft): DraftFiles {
  const { namespace, chains, aggregators, verifiers, database, cold, adminToken } = draft;
  const config = [
    '# Written by `ccv-indexer config init`. Every other key with its default: config/example.toml of the package.',
    '# After a change: ccv-indexer config check -c <this file> -s <the secrets file>',
    '',
    '# The schema in Postgres, and the folder in the bucket.',
    toml({ Namespace: namespace }),
    ...chains.map((chain) =>
      section('A chain with its nodes. With a second URL of another provider no single node is believed.', {
        Chain: [chainTable(chain)],
      }),
    ),
    ...aggregators.map(({ name, address }) =>
      section('An aggregator that messages are found at.', { Discoveries: [{ Name: name, Address: address }] }),
    ),
    ...verifiers.map((verifier) =>
      section('A verifier service, with the source addresses of the CCVs that it answers for.', {
        Verifier: [verifierTable(verifier)],
      }),
    ),
    section('The query API, for clients.', { API: { ListenAddress: '0.0.0.0', ListenPort: 8_100 } }),
    section(
      'Status, metrics and the page of operators, on this machine alone. It asks for BearerToken of the secrets file.',
      {
        Admin: { ListenAddress: '127.0.0.1', ListenPort: 8_101 },
      },
    ),
    section('The last day is answered from memory, everything else from the tiers below.', {
      Storage: { Strategy: 'sink', Sink: { Storages: [HOT, warm(cold), ...(cold ? [coldTable(cold)] : [])] } },
    }),
  ];
  const secrets = [
    '# Secrets, laid over the configuration by -s. Lists are matched by Name.',
    '',
    toml({ Admin: { BearerToken: adminToken } }),
    toml({ Storage: { Sink: { Storages: [{ Name: 'warm', Postgres: { URI: database } }] } } }),
  ];
  return { config: `${config.join('\n').trim()}\n`, secrets: `${secrets.join('\n').trim()}\n` };
}

/** The problems of the parts of a draft, by the paths of the configuration. */
export function draftProblems(draft: Partial<Draft>): readonly ConfigProblem[] {
  const { namespace, database, chains = [], aggregators = [], verifiers = [], cold } = draft;
  const storages = [HOT, { ...warm(null), Postgres: { URI: database ?? 'postgresql://ccv@localhost/ccv' } }];
  try {
    parseConfig(
      {
        ...(namespace === undefined ? {} : { Namespace: namespace }),
        Chain: chains.map(chainTable),
        Discoveries: aggregators.map(({ name, address }) => ({ Name: name, Address: address })),
        Verifier: verifiers.map(verifierTable),
        Storage: { Strategy: 'sink', Sink: { Storages: cold ? [...storages, coldTable(cold)] : storages } },
      },
      'the answers',
    );
    return [];
  } catch (thrown) {
    if (thrown instanceof ConfigError) return thrown.problems;
    throw thrown;
  }
}

const HOT: TomlTable = {
  Name: 'hot',
  Type: 'memory',
  ReadCondition: { Type: 'recent', LookbackWindowSeconds: DAY_S },
  Memory: { TTL: DAY_S, MaxSize: 500_000 },
};

/** With a cold tier behind it the database keeps a month. */
function warm(cold: ColdDraft | null): TomlTable {
  return { Name: 'warm', Type: 'postgres', ...(cold ? { Postgres: { Retention: 30 * DAY_S } } : {}) };
}

function coldTable(cold: ColdDraft): TomlTable {
  if ('directory' in cold) return { Name: 'cold', Type: 's3', S3: { Directory: cold.directory } };
  const { bucket, region, endpoint } = cold;
  const place = endpoint === undefined ? {} : { Endpoint: endpoint, ForcePathStyle: true };
  return {
    Name: 'cold',
    Type: 's3',
    S3: { Bucket: bucket, ...(region === undefined ? {} : { Region: region }), ...place },
  };
}

function chainTable({ name, selector, rpcUrls, onRamp, offRamp, startBlock }: ChainDraft): TomlTable {
  return {
    Name: name,
    Selector: selector,
    RpcUrls: [...rpcUrls],
    ...(onRamp === undefined ? {} : { OnRamp: onRamp }),
    ...(offRamp === undefined ? {} : { OffRamp: offRamp }),
    ...(startBlock === undefined ? {} : { StartBlock: startBlock }),
  };
}

function verifierTable({ name, url, address, issuers }: VerifierDraft): TomlTable {
  const place = url === undefined ? { Type: 'aggregator', Address: address ?? '' } : { Type: 'rest', BaseURL: url };
  return { Name: name, ...place, IssuerAddresses: [...issuers] };
}

function section(comment: string, table: TomlTable): string {
  return `\n# ${comment}\n${toml(table)}`;
}

function toml(table: TomlTable): string {
  return stringify(table).trim();
}

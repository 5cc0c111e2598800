import { isLoopbackHost, isPrivateHost, parseIpRange } from '../../core/network/ip-ranges.js';
import type { TomlTable } from '../overlay.js';
import type { ConfigProblem } from '../problems.js';
import { postgresUriWarnings } from '../schema/postgres-uri.js';
import type { Config } from '../schema/schema.js';
import type { BackendSection } from '../schema/storage-schema.js';
import { normalUrl } from '../schema/url-faults.js';
import { chainIdentityWarnings } from './chain-identity.js';
import { implausibleTimes } from './plausible-times.js';
import { secretWarnings } from './secret-warnings.js';

/** Smaller numbers are ids of chains (EIP-155), which are mistaken for selectors. */
const LEAST_SELECTOR = 2n ** 40n;
/** Networks of fewer bits have more addresses than anybody has proxies. */
const LEAST_BITS = { 4: 8, 6: 16 } as const;

/** Values that work and are surely not meant, of a configuration without problems; `table` is its input. */
export function configWarnings(config: Config, table: TomlTable): ConfigProblem[] {
  return [
    ...nothingToDo(config),
    ...sources(config),
    ...chainIdentityWarnings(config),
    ...verifiers(config),
    ...signatures(config),
    ...connections(config),
    ...proxies(config),
    ...adminPort(config),
    ...storages(config),
    ...secretWarnings(table),
    ...implausibleTimes(table),
  ];
}

function nothingToDo({ Chain, Discoveries, Verifier }: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (Chain.length === 0 && Discoveries.length === 0)
    problems.push({
      path: 'Chain',
      message: 'there is none, so no message is found by this configuration: write a [[Chain]] or a [[Discoveries]]',
    });
  if (Verifier.length === 0)
    problems.push({
      path: 'Verifier',
      message: 'there is none, so no verification is collected by this configuration: write a [[Verifier]]',
    });
  return problems;
}

function sources({ Chain, Namespace }: Config): ConfigProblem[] {
  const problems = Chain.flatMap(({ Selector }, index): ConfigProblem[] =>
    Selector >= LEAST_SELECTOR
      ? []
      : [{ path: `Chain[${index}].Selector`, message: 'is as small as a chain id: write the CCIP chain selector' }],
  );
  if (Namespace === 'public')
    problems.push({
      path: 'Namespace',
      message: 'is the schema of everybody\'s tables: write one of its own, for example "ccv"',
    });
  return problems;
}

function verifiers({ Verifier }: Config): ConfigProblem[] {
  const asked = new Map<string, number>();
  return Verifier.flatMap(({ BaseURL, Address, IssuerAddresses }, index): ConfigProblem[] => {
    const problems: ConfigProblem[] = [];
    const path = `Verifier[${index}]`;
    IssuerAddresses.forEach((address, at) => {
      if (IssuerAddresses.indexOf(address) < at)
        problems.push({
          path: `${path}.IssuerAddresses[${at}]`,
          message: 'is in the list twice: remove it, or write the one that is meant',
        });
    });
    if (IssuerAddresses.length === 0)
      problems.push({
        path: `${path}.IssuerAddresses`,
        message: 'there is none, so this verifier is never asked: write the addresses of the CCVs that it answers for',
      });
    const place = BaseURL === undefined ? Address?.toLowerCase() : normalUrl(BaseURL);
    const key = BaseURL === undefined ? 'Address' : 'BaseURL';
    for (const address of IssuerAddresses) {
      const service = `${place} ${address}`;
      const first = asked.get(service);
      if (first === undefined) asked.set(service, index);
      else if (first !== index)
        problems.push({
          path: `${path}.${key}`,
          message: `asks the service of Verifier[${first}] for the same CCV again: remove one`,
        });
    }
    if (BaseURL === undefined) return problems;
    const { pathname, searchParams } = new URL(BaseURL);
    if (/\/verifications\/*$/.test(pathname))
      problems.push({
        path: `${path}.BaseURL`,
        message: 'ends in /verifications, which is added to it: write the URL without',
      });
    if (searchParams.has('messageID'))
      problems.push({
        path: `${path}.BaseURL`,
        message: 'has a messageID, which is added to it: write the URL without',
      });
    return problems;
  });
}

/** Messages from the only chain go to others. */
function signatures({ Chain, Discoveries, Verifier }: Config): ConfigProblem[] {
  if (Chain.length !== 1) return [];
  const message = 'judges results to the one [[Chain]] alone: write the tables of the other destinations';
  return [
    ...Discoveries.map(({ VerifySignatures }, index) => ({ VerifySignatures, table: `Discoveries[${index}]` })),
    ...Verifier.map(({ VerifySignatures }, index) => ({ VerifySignatures, table: `Verifier[${index}]` })),
  ].flatMap(({ VerifySignatures, table }) =>
    VerifySignatures === 'off' ? [] : [{ path: `${table}.VerifySignatures`, message }],
  );
}

/** Credentials that anyone in between can read, and authorities that nothing is checked against. */
function connections({ Discoveries, Verifier }: Config): ConfigProblem[] {
  const aggregators = [
    ...Discoveries.map((section, index) => ({ section, isRest: false, path: `Discoveries[${index}]` })),
    ...Verifier.map((section, index) => ({
      section,
      isRest: section.Type === 'rest',
      path: `Verifier[${index}]`,
    })),
  ];
  return aggregators.flatMap(({ section, isRest, path }): ConfigProblem[] => {
    const { InsecureConnection, CACertFile, APIKey, Address = '' } = section;
    const problems: ConfigProblem[] = [];
    const host = Address.replace(/^[a-z]+:\/+/i, '').replace(/:\d+$/, '');
    if (InsecureConnection && APIKey !== '' && !isPrivateHost(host))
      problems.push({
        path: `${path}.InsecureConnection`,
        message: 'sends the API key in the clear: write false, unless the network in between is yours',
      });
    if (CACertFile !== '' && (isRest || InsecureConnection))
      problems.push({
        path: `${path}.CACertFile`,
        message: isRest
          ? 'is for aggregators: a REST verifier is checked by the authorities of Node.js and NODE_EXTRA_CA_CERTS'
          : 'is not used beside InsecureConnection = true: remove one of them',
      });
    return problems;
  });
}

function proxies({ API }: Config): ConfigProblem[] {
  return API.TrustedProxies.flatMap((entry, index): ConfigProblem[] => {
    const range = parseIpRange(entry);
    if (range === null || range.bits >= LEAST_BITS[range.version]) return [];
    return [
      {
        path: `API.TrustedProxies[${index}]`,
        message:
          'trusts a large part of everyone, and who is trusted can pretend to be any client: write the addresses ' +
          'of your proxies alone',
      },
    ];
  });
}

function storages({ Storage }: Config): ConfigProblem[] {
  const single = Storage.Strategy === 'single' && Storage.Single ? backend(Storage.Single, 'Storage.Single') : [];
  const several = Storage.Strategy === 'sink' ? (Storage.Sink?.Storages ?? []) : [];
  const other = Storage.Strategy === 'single' ? 'Sink' : 'Single';
  const unused = Storage[other]
    ? [{ path: `Storage.${other}`, message: `is not used with Strategy = "${Storage.Strategy}"` }]
    : [];
  return [
    ...unused,
    ...single,
    ...several.flatMap((section, index) => backend(section, `Storage.Sink.Storages[${index}]`)),
  ];
}

function backend({ Postgres, S3 }: BackendSection, path: string): ConfigProblem[] {
  const uri = Postgres?.URI;
  const problems =
    uri === undefined ? [] : postgresUriWarnings(uri).map((message) => ({ path: `${path}.Postgres.URI`, message }));
  if (S3?.Endpoint === undefined) return problems;
  const { pathname, protocol, hostname } = new URL(S3.Endpoint);
  if (pathname !== '/')
    problems.push({
      path: `${path}.S3.Endpoint`,
      message: 'has a path, which few servers have: write the bucket as Bucket, what is below it as Prefix',
    });
  if (protocol === 'http:' && !isPrivateHost(hostname))
    problems.push({
      path: `${path}.S3.Endpoint`,
      message: 'sends records and session tokens in the clear: write https://',
    });
  return problems;
}

function adminPort({ Admin: { ListenAddress, BearerToken } }: Config): ConfigProblem[] {
  if (BearerToken !== undefined || isLoopbackHost(ListenAddress)) return [];
  return [
    {
      path: 'Admin.ListenAddress',
      message: 'lets other machines in, and nothing asks who they are: write Admin.BearerToken, or 127.0.0.1',
    },
  ];
}

import type { ConfigProblem } from '../problems.js';
import type { Config, DiscoverySection } from '../schema/schema.js';
import { normalUrl } from '../schema/url-faults.js';
import { chainIdentityProblems } from './chain-identity.js';
import { servedNamespaces } from './served-namespaces.js';
import { storageChecks } from './storage-checks.js';
import { unique } from './unique.js';

/** One that is asked twice cannot give a second opinion. */
const SAME_URL = 'leads to the same place as';

type Credentials = Pick<DiscoverySection, 'APIKey' | 'Secret'>;

/** Everything that is right field by field but wrong together. */
export function crossChecks(config: Config): ConfigProblem[] {
  return [
    ...sources(config),
    ...discoveries(config),
    ...chainIdentityProblems(config),
    ...verifiers(config),
    ...signatureChecks(config),
    ...scheduling(config),
    ...servers(config),
    ...servedNamespaces(config),
    ...storageChecks(config),
  ];
}

function sources(config: Config): ConfigProblem[] {
  const problems = [
    ...unique(config.Chain, 'Chain', 'Name', (chain) => chain.Name),
    ...unique(config.Chain, 'Chain', 'Selector', (chain) => String(chain.Selector)),
    ...unique(config.Page.Chains, 'Page.Chains', 'Selector', (chain) => String(chain.Selector)),
  ];
  config.Chain.forEach((chain, index) => {
    if (chain.RpcUrls.every((url) => url.startsWith('ws')))
      problems.push({
        path: `Chain[${index}].RpcUrls`,
        message: 'add at least one http(s) URL: ws(s) URLs only wake the watcher up',
      });
    const { Confirmations, MinFinalityDepth } = chain;
    if (typeof Confirmations === 'number' && MinFinalityDepth > 0 && MinFinalityDepth < Confirmations)
      problems.push({
        path: `Chain[${index}].MinFinalityDepth`,
        message:
          `write at least Confirmations (${Confirmations}), or leave it out: a block cannot be final before it is ` +
          'read',
      });
  });
  config.Chain.forEach((chain, index) => {
    problems.push(...unique(chain.RpcUrls, `Chain[${index}].RpcUrls`, '', normalUrl, SAME_URL));
  });
  return problems;
}

function discoveries({ Discoveries }: Config): ConfigProblem[] {
  return [
    ...unique(Discoveries, 'Discoveries', 'Name', ({ Name }) => Name),
    ...unique(Discoveries, 'Discoveries', 'Address', ({ Address }) => Address.toLowerCase()),
    ...Discoveries.flatMap((discovery, index): ConfigProblem[] => {
      const { Timeout, PollInterval } = discovery;
      const path = `Discoveries[${index}]`;
      const problems = credentialProblems(discovery, path);
      if (Timeout <= PollInterval)
        problems.push({ path: `${path}.Timeout`, message: `must be longer than PollInterval (${PollInterval} ms)` });
      return problems;
    }),
  ];
}

/** Half of the credentials signs nothing. */
function credentialProblems({ APIKey, Secret }: Credentials, path: string): ConfigProblem[] {
  if ((APIKey === '') === (Secret === '')) return [];
  const missing = APIKey === '' ? 'APIKey' : 'Secret';
  return [{ path: `${path}.${missing}`, message: 'write it as well: a request is signed with APIKey and Secret' }];
}

function verifiers(config: Config): ConfigProblem[] {
  const problems = unique(config.Verifier, 'Verifier', 'Name', (verifier) => verifier.Name);
  config.Verifier.forEach((verifier, index) => {
    if (verifier.Type === 'rest' && verifier.BaseURL === undefined)
      problems.push({ path: `Verifier[${index}].BaseURL`, message: 'a verifier of Type = "rest" needs its BaseURL' });
    if (verifier.Type === 'aggregator' && verifier.Address === undefined)
      problems.push({
        path: `Verifier[${index}].Address`,
        message: 'a verifier of Type = "aggregator" needs its Address',
      });
    problems.push(...credentialProblems(verifier, `Verifier[${index}]`));
  });
  return problems;
}

/** Whose signatures count, the destination tells. */
function signatureChecks({ Chain, Discoveries, Verifier }: Config): ConfigProblem[] {
  if (Chain.length > 0) return [];
  const message = 'needs the [[Chain]] table of each destination: its contracts say whose signatures count';
  const problemsOf = (sections: readonly { readonly VerifySignatures: string }[], table: string) =>
    sections.flatMap(({ VerifySignatures }, index) =>
      VerifySignatures === 'off' ? [] : [{ path: `${table}[${index}].VerifySignatures`, message }],
    );
  return [...problemsOf(Discoveries, 'Discoveries'), ...problemsOf(Verifier, 'Verifier')];
}

function scheduling({ Scheduler }: Config): ConfigProblem[] {
  const { BaseDelay, MaxDelay, VerificationVisibilityWindow: windowMs } = Scheduler;
  const problems: ConfigProblem[] = [];
  if (MaxDelay <= BaseDelay)
    problems.push({ path: 'Scheduler.MaxDelay', message: `must be longer than BaseDelay (${BaseDelay} ms)` });
  if (windowMs <= MaxDelay)
    problems.push({
      path: 'Scheduler.VerificationVisibilityWindow',
      message: `must be longer than MaxDelay (${MaxDelay / 1_000} s)`,
    });
  return problems;
}

/** Parts that an answer under way counts for, and answers that there must be room for. */
const LEAST_PARTS = 8;

function servers({ API, Admin }: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (API.ListenPort !== 0 && API.ListenPort === Admin.ListenPort)
    problems.push({ path: 'Admin.ListenPort', message: `must differ from API.ListenPort (${API.ListenPort})` });
  if (API.AnswerPartBytes * LEAST_PARTS > API.MaxAnswerBytes)
    problems.push({
      path: 'API.AnswerPartBytes',
      message:
        `write at most ${Math.floor(API.MaxAnswerBytes / LEAST_PARTS)}, an eighth of MaxAnswerBytes: a few large ` +
        'answers would leave no room for others',
    });
  return problems;
}

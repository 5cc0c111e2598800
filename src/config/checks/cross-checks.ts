import type { ConfigProblem } from '../problems.js';
import type { Config } from '../schema/schema.js';
import { normalUrl } from '../schema/url-faults.js';
import { chainIdentityProblems } from './chain-identity.js';
import { storageChecks } from './storage-checks.js';
import { unique } from './unique.js';

/** One that is asked twice cannot give a second opinion. */
const SAME_URL = 'leads to the same place as';

/** Keys that say how to reach an aggregator, and nothing about a REST service. */
const OF_AN_AGGREGATOR = ['Address', 'APIKey', 'Secret', 'InsecureConnection'] as const;

/** Everything that is right field by field but wrong together. */
export function crossChecks(config: Config): ConfigProblem[] {
  return [
    ...sources(config),
    ...chainIdentityProblems(config),
    ...verifiers(config),
    ...scheduling(config),
    ...servers(config),
    ...storageChecks(config),
  ];
}

function sources(config: Config): ConfigProblem[] {
  const problems = [
    ...unique(config.Chain, 'Chain', 'Name', (chain) => chain.Name),
    ...unique(config.Chain, 'Chain', 'Selector', (chain) => String(chain.Selector)),
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
  config.Discoveries.forEach((discovery, index) => {
    if (discovery.Timeout <= discovery.PollInterval)
      problems.push({
        path: `Discoveries[${index}].Timeout`,
        message: `must be longer than PollInterval (${discovery.PollInterval} ms)`,
      });
    problems.push({
      path: `Discoveries[${index}]`,
      message:
        'this version does not read aggregators yet: leaving one out silently would hide its messages, so remove ' +
        'it knowingly and list the chains under [[Chain]]',
    });
  });
  return problems;
}

function verifiers(config: Config): ConfigProblem[] {
  const problems = unique(config.Verifier, 'Verifier', 'Name', (verifier) => verifier.Name);
  config.Verifier.forEach((verifier, index) => {
    if (verifier.Type === 'rest' && verifier.BaseURL === undefined)
      problems.push({ path: `Verifier[${index}].BaseURL`, message: 'a verifier of Type = "rest" needs its BaseURL' });
    if (verifier.Type === 'aggregator')
      problems.push({ path: `Verifier[${index}].Type`, message: 'this version reads only verifiers of Type = "rest"' });
    // nothing that somebody relies on may be passed over in silence
    if (verifier.Type === 'rest')
      for (const key of OF_AN_AGGREGATOR)
        if (verifier[key])
          problems.push({ path: `Verifier[${index}].${key}`, message: 'has no meaning for Type = "rest"' });
  });
  return problems;
}

function scheduling({ Scheduler }: Config): ConfigProblem[] {
  if (Scheduler.BaseDelay <= Scheduler.MaxDelay) return [];
  return [{ path: 'Scheduler.MaxDelay', message: `must be at least BaseDelay (${Scheduler.BaseDelay} ms)` }];
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

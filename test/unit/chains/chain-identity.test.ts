import { expect, it } from 'vitest';
import { ChainUnknownError } from '../../../src/chains/chain-errors.js';
import { ChainIdentity, type IdentifiedEndpoint } from '../../../src/chains/rpc/chain-identity.js';
import { RpcError, RpcUnavailableError, RpcWrongChainError } from '../../../src/chains/rpc/rpc-errors.js';
import { createCommon } from '../../../src/core/common.js';
import { createManualClock } from '../../support/manual-clock.js';

const never = new AbortController().signal;
const RECHECK_MS = 10_000;

/** An endpoint that says `chainId` (an error when it is null) and counts how often it was asked. */
function endpointOf(url: number, chainId: number | null) {
  const origin = { chain: 'a', url };
  const endpoint = {
    origin,
    chainId,
    connections: 1,
    asked: 0,
    cool: () => undefined,
    parsed: <T>(parse: () => T) => parse(),
    async requestUnguarded() {
      endpoint.asked++;
      if (endpoint.chainId === null) throw new RpcUnavailableError(origin, 'down');
      return [`0x${endpoint.chainId.toString(16)}`];
    },
  };
  return endpoint satisfies IdentifiedEndpoint;
}

function identify(chainId: number | null, ...endpoints: readonly IdentifiedEndpoint[]) {
  const clock = createManualClock();
  const common = createCommon({ clock });
  return { clock, identity: new ChainIdentity({ chainName: 'a', chainId, endpoints, recheckMs: RECHECK_MS, common }) };
}

const answer = async () => 'answer';

it('asks for the chain before the first request, and again after a while', async () => {
  const endpoint = endpointOf(0, 5);
  const { clock, identity } = identify(5, endpoint);
  for (let request = 0; request < 3; request++) expect(await identity.guard(endpoint, never, answer)).toBe('answer');
  expect(endpoint.asked).toBe(1);
  await clock.advance(RECHECK_MS - 1);
  await identity.guard(endpoint, never, answer);
  expect(endpoint.asked).toBe(1);
  await clock.advance(1);
  endpoint.chainId = 6;
  await expect(identity.guard(endpoint, never, answer)).rejects.toBeInstanceOf(RpcWrongChainError);
  expect(identity.isForeign(endpoint)).toBe(true);
  endpoint.chainId = 5;
  expect(await identity.guard(endpoint, never, answer)).toBe('answer');
  expect(identity.isForeign(endpoint)).toBe(false);
});

it('asks nothing of a node of another chain', async () => {
  const endpoint = endpointOf(0, 6);
  const { identity } = identify(5, endpoint);
  const guarded = identity.guard(endpoint, never, () => Promise.reject(new Error('was asked')));
  await expect(guarded).rejects.toMatchObject({ code: 'RPC_WRONG_CHAIN', details: { chainId: 6, expectedChainId: 5 } });
});

it('drops an answer when a connection that was made meanwhile leads to another chain', async () => {
  const endpoint = endpointOf(0, 5);
  const { identity } = identify(5, endpoint);
  await identity.guard(endpoint, never, answer);
  const reconnecting = identity.guard(endpoint, never, async () => {
    endpoint.connections++;
    endpoint.chainId = 6;
    return 'answer';
  });
  await expect(reconnecting).rejects.toBeInstanceOf(RpcWrongChainError);
});

it('drops it also when another request has proved the endpoint in between', async () => {
  const endpoint = endpointOf(0, 5);
  const { identity } = identify(5, endpoint);
  await identity.guard(endpoint, never, answer);
  const { asked } = endpoint;
  await identity.guard(endpoint, never, async () => {
    endpoint.connections++;
    await identity.guard(endpoint, never, answer);
    return 'answer';
  });
  expect(endpoint.asked).toBe(asked + 2);
});

it('takes the id that all endpoints agree on when none is given', async () => {
  const endpoints = [endpointOf(0, 5), endpointOf(1, 5)] as const;
  const { identity } = identify(null, ...endpoints);
  expect(await identity.guard(endpoints[0], never, answer)).toBe('answer');
  expect(identity.chainId).toBe(5);
  endpoints[1].chainId = 6;
  await expect(identity.check(endpoints[1], never)).rejects.toBeInstanceOf(RpcWrongChainError);
});

it.each([
  ['disagree', [5, 6], /URL 0 says 5, URL 1 says 6.*set ChainID/],
  ['are not all heard', [5, null], /URL 0 says 5, URL 1 has not answered.*set ChainID/],
])('lets nothing be asked while the endpoints %s, and no longer', async (_, chainIds, message) => {
  const endpoints = chainIds.map((chainId, url) => endpointOf(url, chainId));
  const { identity } = identify(null, ...endpoints);
  const guarded = identity.guard(endpoints[0]!, never, () => Promise.reject(new Error('was asked')));
  const error = await guarded.catch((thrown: Error) => thrown);
  expect(error).toBeInstanceOf(ChainUnknownError);
  expect((error as Error).message).toMatch(message);
  endpoints[1]!.chainId = 5;
  expect(await identity.guard(endpoints[0]!, never, answer)).toBe('answer');
});

it('says why when no endpoint answers at all', async () => {
  const endpoints = [endpointOf(0, null), endpointOf(1, null)];
  const { identity } = identify(null, ...endpoints);
  const error = await identity.guard(endpoints[0]!, never, answer).catch((thrown: Error) => thrown);
  expect(error).toBeInstanceOf(RpcError);
  expect(error).toMatchObject({ code: 'RPC_UNAVAILABLE' });
});

import { toError } from '../../core/errors.js';
import { outboundProxy } from '../../core/network/outbound-proxy.js';
import type { ConfigProblem } from '../problems.js';
import type { Config } from '../schema/schema.js';

/** The URLs that a proxy of the environment, which is none, stands before. */
export function proxyProblems(
  { Chain, Verifier, Storage }: Config,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigProblem[] {
  const single = Storage.Strategy === 'single';
  const asked = [
    ...Chain.flatMap(({ RpcUrls }, at) =>
      RpcUrls.map((url, index) => [`Chain[${at}].RpcUrls[${index}]`, url] as const),
    ),
    ...Verifier.map(({ BaseURL }, at) => [`Verifier[${at}].BaseURL`, BaseURL] as const),
    ...(single ? [] : (Storage.Sink?.Storages ?? [])).map(
      ({ S3 }, at) => [`Storage.Sink.Storages[${at}].S3.Endpoint`, S3?.Endpoint] as const,
    ),
    ...(single ? [['Storage.Single.S3.Endpoint', Storage.Single?.S3?.Endpoint] as const] : []),
  ];
  return asked.flatMap(([path, url]): ConfigProblem[] => {
    try {
      if (url !== undefined) outboundProxy(url, environment);
      return [];
    } catch (thrown) {
      return [{ path, message: toError(thrown).message }];
    }
  });
}

import type { PageChain, PageFacts } from '../../api/page/page-route.js';
import type { Config } from '../../config/schema/schema.js';
import { packageVersion } from '../version.js';

/** Facts of the configuration that the page shows; null: there is no page. */
export function pageFacts({ Namespace, Chain, API, Page }: Config): PageFacts | null {
  if (!Page.Enabled) return null;
  const named = new Map(Chain.map(({ Selector, Name }) => [Selector, Name]));
  const chains = [...new Set([...named.keys(), ...Page.Chains.map(({ Selector }) => Selector)])].map((selector) => {
    const told = Page.Chains.find(({ Selector }) => Selector === selector);
    return {
      selector: String(selector),
      name: told?.Name ?? named.get(selector) ?? String(selector),
      explorerUrl: told?.ExplorerURL ?? null,
    } satisfies PageChain;
  });
  return {
    version: packageVersion(),
    namespace: Namespace,
    namespaces: API.Namespaces.length > 0 ? [...new Set([Namespace, ...API.Namespaces])] : [],
    chains,
  };
}

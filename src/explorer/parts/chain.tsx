import { useFacts } from '../server/page-facts.js';
import { ArrowIcon } from './icons.js';

/** The name of a chain; where the configuration has none, its selector. */
export function useChainName(): (selector: string) => string {
  const { chains } = useFacts();
  return (selector) => chains.find((chain) => chain.selector === selector)?.name ?? selector;
}

function Chain({ selector }: { readonly selector: string }) {
  const name = useChainName()(selector);
  const isLong = name === selector && name.length > 9;
  return (
    <span class="chain" title={`chain selector ${selector}`}>
      {isLong ? `${name.slice(0, 4)}…${name.slice(-4)}` : name}
    </span>
  );
}

export function Lane({ source, dest }: { readonly source: string; readonly dest: string }) {
  return (
    <span class="lane">
      <Chain selector={source} />
      <ArrowIcon />
      <span class="unseen">to</span>
      <Chain selector={dest} />
    </span>
  );
}

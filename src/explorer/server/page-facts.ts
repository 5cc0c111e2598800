import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

/** `page.json`: facts that no answer of the API has. */
export interface PageFacts {
  readonly version: string;
  readonly namespace: string;
  readonly namespaces: readonly string[];
  readonly chains: readonly { readonly selector: string; readonly name: string; readonly explorerUrl: string | null }[];
  /** The server is the admin port. */
  readonly isAdmin: boolean;
}

const Facts = createContext<PageFacts>({ version: '', namespace: '', namespaces: [], chains: [], isAdmin: false });

export const FactsProvider = Facts.Provider;

export const useFacts = (): PageFacts => useContext(Facts);

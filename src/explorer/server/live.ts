import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';

/** A change as the feed tells it, in short. */
export interface LiveChange {
  readonly messageId: string;
  /** `source-dest`. */
  readonly lane: string;
}

/** `live`: every change is told; `waiting`: the connection is made; `off`: it failed, and is tried again. */
export type LiveState = 'live' | 'waiting' | 'off';

/** The feed of this server, for all of the page. */
export interface LiveFeed {
  state(): LiveState;
  /** Null: changes may have been missed, ask again. */
  onChange(listener: (change: LiveChange | null) => void): () => void;
  onState(listener: () => void): () => void;
}

const RETRY_MS = 3_000;
const KINDS = ['message', 'verifierResult', 'execution'];

/**
 * Reads the feed by events, and lets go of it while the page is not seen: a browser has few connections to one server.
 * An `EventSource` comes back by itself where the connection broke, with the place where it was; where the server
 * refused it, it is made anew.
 */
export function createLiveFeed(path: string): LiveFeed {
  const changeListeners = new Set<(change: LiveChange | null) => void>();
  const stateListeners = new Set<() => void>();
  let [source, state]: [EventSource | null, LiveState] = [null, 'waiting'];
  let retry: ReturnType<typeof setTimeout> | undefined;

  function become(next: LiveState): void {
    if (next === state) return;
    state = next;
    for (const listener of stateListeners) listener();
  }
  function tell(change: LiveChange | null): void {
    for (const listener of changeListeners) listener(change);
  }
  function hear(event: MessageEvent<string>): void {
    const { messageId, sourceChainSelector, destChainSelector } = JSON.parse(event.data) as Record<string, string>;
    tell({ messageId: messageId ?? '', lane: `${sourceChainSelector}-${destChainSelector}` });
  }
  function close(): void {
    clearTimeout(retry);
    source?.close();
    source = null;
  }
  function open(): void {
    close();
    const opened = new EventSource(path);
    source = opened;
    opened.onopen = () => {
      become('live');
      tell(null);
    };
    opened.onerror = () => {
      become('off');
      if (opened.readyState !== EventSource.CLOSED) return;
      clearTimeout(retry);
      retry = setTimeout(open, RETRY_MS);
    };
    for (const kind of KINDS) opened.addEventListener(kind, hear);
  }

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) return open();
    close();
    become('waiting');
  });
  if (!document.hidden) open();
  return {
    state: () => state,
    onChange(listener) {
      changeListeners.add(listener);
      return () => changeListeners.delete(listener);
    },
    onState(listener) {
      stateListeners.add(listener);
      return () => stateListeners.delete(listener);
    },
  };
}

const Live = createContext<LiveFeed | null>(null);

export const LiveProvider = Live.Provider;

/** Calls the listener of the last render for every change. */
export function useChanges(listener: (change: LiveChange | null) => void): void {
  const feed = useContext(Live);
  const last = useRef(listener);
  last.current = listener;
  useEffect(() => feed?.onChange((change) => last.current(change)), [feed]);
}

export function useLiveState(): LiveState {
  const feed = useContext(Live);
  const [state, setState] = useState<LiveState>(feed?.state() ?? 'off');
  useEffect(() => {
    const look = () => setState(feed?.state() ?? 'off');
    look();
    return feed?.onState(look);
  }, [feed]);
  return state;
}

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { AnswerError, ask } from './ask.js';
import { useChanges } from './live.js';

/** An answer as a view has it: the last one stays while the next is asked for. */
export interface Asked<T> {
  readonly value: T | null;
  readonly error: AnswerError | null;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

interface State<T> {
  readonly path: string | null;
  readonly value: T | null;
  readonly error: AnswerError | null;
}

/** Of failures that pass: no answer at all, too many requests, not now. Each is asked again. */
const PASSING: ReadonlySet<number> = new Set([0, 429, 503]);
const RETRY_MS = 2_000;

/** The answer of a path; null asks nothing. An answer of another path is never shown as this one's. */
export function useAnswer<T>(path: string | null): Asked<T> {
  const [state, setState] = useState<State<T>>({ path: null, value: null, error: null });
  const [round, setRound] = useState(0);
  const [isLoading, setLoading] = useState(false);
  useEffect(() => {
    if (path === null) return;
    const leaving = new AbortController();
    let retry: ReturnType<typeof setTimeout> | undefined;
    setLoading(true);
    ask<T>(path, leaving.signal)
      .then((value) => setState({ path, value, error: null }))
      .catch((thrown: unknown) => {
        if (leaving.signal.aborted) return;
        const error = thrown instanceof AnswerError ? thrown : new AnswerError(0, String(thrown));
        setState((before) => ({ path, value: before.path === path ? before.value : null, error }));
        if (PASSING.has(error.status)) retry = setTimeout(() => setRound((before) => before + 1), RETRY_MS);
      })
      .finally(() => {
        if (!leaving.signal.aborted) setLoading(false);
      });
    return () => {
      leaving.abort();
      clearTimeout(retry);
    };
  }, [path, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  const isThis = state.path === path;
  return { value: isThis ? state.value : null, error: isThis ? state.error : null, isLoading, reload };
}

/** Asks again when the feed tells a change that concerns the answer, at most once in `everyMs`. */
export function useReloadOnChange(
  reload: () => void,
  everyMs: number,
  concerns: (change: { readonly messageId: string; readonly lane: string }) => boolean = () => true,
): void {
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const last = useRef(0);
  const later = (): void => {
    if (timer.current !== null) return;
    const waitMs = Math.max(MIN_WAIT_MS, last.current + everyMs - performance.now());
    timer.current = setTimeout(() => {
      timer.current = null;
      last.current = performance.now();
      reload();
    }, waitMs);
  };
  useChanges((change) => {
    if (change === null || concerns(change)) later();
  });
  useEffect(
    () => () => {
      if (timer.current !== null) clearTimeout(timer.current);
    },
    [],
  );
}

/** Changes of one commit come together. */
const MIN_WAIT_MS = 150;

/** Asks again every so often while the page is seen. */
export function useReloadEvery(reload: () => void, everyMs: number): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, everyMs);
    return () => clearInterval(timer);
  }, [reload, everyMs]);
}

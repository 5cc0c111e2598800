import { useEffect, useState } from 'preact/hooks';

/** A place in the page, as the address has it behind `#`: `/view/subject?query`. The server never sees it. */
export interface Route {
  readonly view: string;
  readonly subject: string;
  readonly query: URLSearchParams;
}

/** Reads the part of an address from `#` on. */
function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [view = '', subject = ''] = path.split('/', 2);
  return { view, subject: decoded(subject), query: new URLSearchParams(query) };
}

/** The part of an address from `#` on. */
export function hrefOf(view: string, subject = '', query: URLSearchParams | Record<string, string> = {}): string {
  const given = [...new URLSearchParams(query)].filter(([, value]) => value !== '');
  const path = subject === '' ? view : `${view}/${encodeURIComponent(subject)}`;
  return `#/${path}${given.length === 0 ? '' : `?${new URLSearchParams(given)}`}`;
}

/** The query with another value of one parameter; an empty one takes it away. */
export function withValue(query: URLSearchParams, name: string, value: string): URLSearchParams {
  const changed = new URLSearchParams(query);
  if (value === '') changed.delete(name);
  else changed.set(name, value);
  return changed;
}

/** Goes to a place: as a step that "back" undoes, or in the place of the present one. */
export function goTo(href: string, step: 'new' | 'same' = 'new'): void {
  if (step === 'new') location.assign(href);
  else location.replace(href);
}

/** The present place; it follows the address. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return route;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The fault of a URL that can be parsed but cannot be meant; null without one. */
export function urlFault(text: string, url: URL): string | null {
  if (/[\s\p{C}]/u.test(text)) return 'has spaces or invisible characters in it: write the URL alone';
  if (!/^[a-z]+:\/\/[^/?#\\]/i.test(text) || text.includes('\\'))
    return `write ${url.protocol}// and the host behind it, for example ${url.protocol}//node.example.org/path`;
  if (text.includes('#'))
    return 'has a # in it, and what is behind one is never sent: write %23 where it is part of a key';
  if (url.port === '0') return 'has the port 0: write the port that the server listens on';
  return null;
}

/** URLs that lead to the same place have the same one. */
export function normalUrl(text: string): string {
  const url = new URL(text);
  const login = url.username === '' ? '' : `${url.username}:${url.password}@`;
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.protocol}//${login}${url.host.replace(/\.(?=:|$)/, '')}${path}${url.search}`;
}

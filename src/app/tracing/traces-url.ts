const PATH = '/v1/traces';

/** The URL for traces of a receiver of OTLP over HTTP, which is named with or without that path. */
export function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith(PATH) ? path : `${path}${PATH}`;
  return url.href;
}

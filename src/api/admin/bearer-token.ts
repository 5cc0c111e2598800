import { createHash, timingSafeEqual } from 'node:crypto';

/** The challenge of a 401: browsers ask people for the password, every other client sends the token as such. */
export const CHALLENGE = 'Bearer realm="ccv-indexer admin", Basic realm="ccv-indexer admin", charset="UTF-8"';

/**
 * Says whether an `Authorization` header holds the token: `Bearer <token>` (RFC 6750), or `Basic` (RFC 7617) with it as
 * the password of any name. Takes as long for a wrong one as for the right one.
 */
export function createTokenTest(token: string): (authorization: string | undefined) => boolean {
  const wanted = digest(token);
  return (authorization) => {
    const [, scheme = '', given = ''] = /^(bearer|basic) +(\S+) *$/i.exec(authorization ?? '') ?? [];
    const sent = scheme.toLowerCase() === 'basic' ? passwordOf(given) : given;
    return timingSafeEqual(digest(sent), wanted);
  };
}

function passwordOf(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** In a list of origins: every one. */
export const ANY_ORIGIN = '*';

/** Whether a browser can send this as `Origin`: scheme, host in lower case, and a port that is not the scheme's own. */
export function isWebOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

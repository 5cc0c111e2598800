/** A whole string, or one structural character; numbers and literals between them need no attention. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]/g;

/**
 * The text of element `index` of the array under `key` of a JSON object, exactly as it came (for evidence; `JSON.parse`
 * keeps no positions). Like `JSON.parse`, the last of several equal keys counts. Null when there is no such element.
 *
 * @param json valid JSON; anything else gives a meaningless answer.
 */
export function rawElement(json: string, key: string, index: number): string | null {
  let found: string | null = null;
  let depth = 0;
  let lastString = '';
  let inKey = false;
  let inArray = false;
  let element = 0;
  let start = 0;

  const endElement = (end: number) => {
    if (inArray && depth === 2 && element === index) found = json.slice(start, end).trim() || null;
  };

  for (const { 0: token, index: at } of json.matchAll(TOKEN)) {
    switch (token) {
      case '{':
      case '[':
        depth++;
        if (depth !== 2 || !inKey) break;
        inArray = token === '[';
        element = 0;
        start = at + 1;
        break;
      case '}':
      case ']':
        endElement(at);
        if (depth === 2) inArray = false;
        depth--;
        break;
      case ',':
        endElement(at);
        if (depth === 1) inKey = false;
        if (depth !== 2) break;
        element++;
        start = at + 1;
        break;
      case ':':
        if (depth !== 1) break;
        inKey = JSON.parse(lastString) === key;
        if (inKey) found = null;
        break;
      default:
        if (depth === 1) lastString = token;
    }
  }
  return found;
}

import { closingQuote } from '../protocol/json-strings.js';

/**
 * The texts of the elements of the array under `key` of a JSON object, exactly as they came (for evidence; `JSON.parse`
 * keeps no positions). Like `JSON.parse`, the last of several equal keys counts. Empty when there is no such array. The
 * text is read once, however many elements it has.
 *
 * @param json valid JSON; anything else gives a meaningless answer.
 */
export function rawElements(json: string, key: string): readonly string[] {
  let elements: string[] = [];
  let depth = 0;
  let lastString = '';
  let inKey = false;
  let inArray = false;
  let start = 0;

  const endElement = (end: number) => {
    if (!inArray || depth !== 2) return;
    const text = json.slice(start, end).trim();
    // an empty array has one gap and no element
    if (text !== '') elements.push(text);
  };

  for (let at = 0; at < json.length; at++) {
    const token = json.charAt(at);
    switch (token) {
      case '{':
      case '[':
        depth++;
        if (depth !== 2 || !inKey) break;
        inArray = token === '[';
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
        if (depth === 2) start = at + 1;
        break;
      case ':':
        if (depth !== 1) break;
        inKey = JSON.parse(lastString) === key;
        if (inKey) elements = [];
        break;
      case '"': {
        const end = closingQuote(json, at + 1) + 1;
        if (end === 0) return elements;
        if (depth === 1) lastString = json.slice(at, end);
        at = end - 1;
        break;
      }
    }
  }
  return elements;
}

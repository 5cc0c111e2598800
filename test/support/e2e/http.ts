import { parseExactJson } from '../../../src/protocol/exact-json.js';
import { ask } from '../api/api.js';

/** An entry of `/v1/messages`. */
export interface ListedMessage {
  readonly message: { readonly sequence_number: bigint; readonly source_chain_selector: bigint };
  readonly metadata: { readonly status: number; readonly ingestionTimestamp: string };
  readonly messageCCVAddresses?: readonly string[];
}

/** An entry of `/v1/verifierresults`. */
export interface ListedResult {
  readonly verifierResult: { readonly message_id: string; readonly verifier_source_address: string };
  readonly metadata: { readonly ingestionTimestamp: string };
}

/** An answer: its status, its text, and its text parsed with all digits. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
}

/** One GET on a connection of its own, as `curl` makes it. Rejects when the connection breaks. */
export async function get(url: string): Promise<HttpAnswer> {
  const { port, pathname, search } = new URL(url);
  const { status, text } = await ask(Number(port), `${pathname}${search}`);
  return { status, text };
}

/** The body of a 200 of `/v1/messages`, in its order. */
export function messagesIn(text: string): Map<string, ListedMessage> {
  const { messages } = parseExactJson(text) as { messages: Record<string, ListedMessage> };
  return new Map(Object.entries(messages));
}

/** The body of a 200 of `/v1/verifierresults`, in its order. */
export function resultsIn(text: string): Map<string, readonly ListedResult[]> {
  const { verifierResults } = parseExactJson(text) as { verifierResults: Record<string, ListedResult[]> };
  return new Map(Object.entries(verifierResults));
}

/** The body of a 200 of `/v1/verifierresults/{id}`. */
export function resultsOfIdIn(text: string): readonly ListedResult[] {
  return (parseExactJson(text) as { results: ListedResult[] }).results;
}

/** `/v1/messages` with a thousand records; anything but a 200 is an error. */
export async function listMessages(apiUrl: string, query = 'limit=1000'): Promise<Map<string, ListedMessage>> {
  return messagesIn(await body(`${apiUrl}/v1/messages?${query}`));
}

/** `/v1/verifierresults` with a thousand records; anything but a 200 is an error. */
export async function listResults(apiUrl: string, query = 'limit=1000'): Promise<Map<string, readonly ListedResult[]>> {
  return resultsIn(await body(`${apiUrl}/v1/verifierresults?${query}`));
}

/** The text of a 200; anything else is an error. */
export async function body(url: string): Promise<string> {
  const { status, text } = await get(url);
  if (status !== 200) throw new Error(`${url} answered ${status}: ${text}`);
  return text;
}

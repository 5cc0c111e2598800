import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';

/** An event of the feed. */
export interface FeedEvent {
  readonly position: bigint;
  readonly kind: string;
  readonly lane: string;
}

/** A reader of events, with the last id that it heard, as a browser's EventSource has it. */
export class FeedReader {
  readonly events: FeedEvent[] = [];
  lastId: string | null;
  ended = false;
  /** The reason that a stream gave for its end. */
  failure: string | null = null;
  #answer: IncomingMessage | null = null;

  constructor(lastId: string | null = null) {
    this.lastId = lastId;
  }

  /** Connects, or connects again from where it stands. */
  async connect(port: number, parameters: string): Promise<IncomingMessage> {
    const headers = { accept: 'text/event-stream', ...(this.lastId !== null && { 'last-event-id': this.lastId }) };
    const outgoing = get({ host: '127.0.0.1', port, path: `/v2/feed?${parameters}`, headers, agent: false });
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    this.#answer = answer;
    this.ended = false;
    const end = () => {
      this.ended = true;
    };
    answer.on('error', end).on('close', end);
    // a connection that was cut is an end like others
    this.#read(answer).catch(end);
    return answer;
  }

  stop(): void {
    this.#answer?.destroy();
  }

  async #read(answer: IncomingMessage): Promise<void> {
    let kind = '';
    const lines = createInterface({ input: answer });
    lines.on('error', () => undefined);
    for await (const line of lines) {
      const [, field = '', value = ''] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (field === 'id') this.lastId = value;
      if (field === 'event') kind = value;
      if (field === 'data' && kind === 'failure') this.failure = JSON.parse(value).detail;
      if (field !== 'data' || kind === 'failure') continue;
      const { position, sourceChainSelector, destChainSelector } = JSON.parse(value);
      if (position !== this.lastId) this.failure = `the event of ${position} has the id ${this.lastId}`;
      this.events.push({ position: BigInt(position), kind, lane: `${sourceChainSelector}-${destChainSelector}` });
    }
  }
}

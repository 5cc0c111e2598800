import type { Hex } from '../core/hex.js';
import { OldestFirst } from './oldest-first.js';
import { isVerified, type OpenMessage } from './open-message.js';

/** Messages of which results or executions alone were told. */
const MOST_STRANGERS = 50_000;
/** Verified messages that name CCVs without a verifier: a late result of one still counts. */
const MOST_SETTLED = 5_000;

/** The open messages of a board by id. Those that wait for a verification are all there, of others the last. */
export class OpenMessages {
  readonly #messages = new Map<Hex, OpenMessage>();
  readonly #strangers = new OldestFirst<Hex>(MOST_STRANGERS, (id) => this.#messages.delete(id));
  readonly #settled: OldestFirst<Hex>;

  /** @param close a verified message is let go. */
  constructor(close: (messageId: Hex) => void) {
    this.#settled = new OldestFirst<Hex>(MOST_SETTLED, close);
  }

  get(messageId: Hex): OpenMessage | undefined {
    return this.#messages.get(messageId);
  }

  values(): Iterable<OpenMessage> {
    return this.#messages.values();
  }

  /** The message is there, in its present state. */
  keep(open: OpenMessage): void {
    const { messageId, message } = open;
    this.#messages.set(messageId, open);
    if (message === null) this.#strangers.add(messageId);
    else this.#strangers.delete(messageId);
    if (isVerified(open)) this.#settled.add(messageId);
    else this.#settled.delete(messageId);
  }

  delete(messageId: Hex): void {
    this.#messages.delete(messageId);
    this.#strangers.delete(messageId);
    this.#settled.delete(messageId);
  }
}

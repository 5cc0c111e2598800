import type { Readable } from 'node:stream';

/** A body ready to send: bytes of known length, or, for a large one, a stream of them. */
export type Body = Buffer | Readable;

/** A body with its entity tag, where it has one. */
export interface Answer {
  readonly body: Body;
  readonly tag?: string;
}

import pg from 'pg';

/** A `COPY … FROM STDIN` that is under way. */
export interface CopyIn {
  /** Resolves when the server has taken all rows. */
  readonly done: Promise<void>;
  /** Sends whole messages of the protocol: CopyData, and CopyDone at the end. */
  send(messages: Buffer): void;
  /** Ends the command with an error: the rows were not all to be had. */
  fail(): void;
}

/** CopyFail without a reason. */
const COPY_FAIL = Buffer.from([0x66, 0, 0, 0, 5, 0]);

/**
 * Sends the command. Its data may follow at once: a server that refuses the command passes them over. The connection is
 * the caller's alone until `send` had CopyDone, or `fail` was called.
 *
 * Own code: `pg` refuses query classes of others on a connection whose queries do not wait for each other.
 */
export function startCopy(client: pg.ClientBase, text: string): CopyIn {
  let connection: pg.Connection | null = null;
  const done = new Promise<void>((resolve, reject) => {
    const query = new pg.Query(text, (error) => (error ? reject(error) : resolve()));
    client.query(
      Object.assign(query, {
        submit(given: pg.Connection) {
          connection = given;
          given.query(text);
        },
        handleCopyInResponse: () => undefined,
      }),
    );
  });
  const send = (messages: Buffer) => {
    // a connection that is lost tells `done`
    if (connection?.stream.writable) connection.stream.write(messages);
  };
  return { done, send, fail: () => send(COPY_FAIL) };
}

import pg from 'pg';
import type { Row, Statement } from './statement.js';

/** Values of a query as the driver takes them. */
type Values = readonly (Buffer | string | number | null)[];

/**
 * A query of the driver that keeps rows as the server sent them. The driver's own copies each row, calls a parser for
 * each field, and makes an object of the columns for each query.
 */
class RowQuery extends pg.Query {
  readonly received: Row[] = [];

  handleRowDescription(): void {
    // columns are known by their places
  }
  handleDataRow(message: { readonly fields: Row }): void {
    this.received.push(message.fields);
  }
  handleCommandComplete(): void {
    // the rows are all there is to tell
  }
}

/** Sends a query; it is prepared unless `prepared` is false. */
export function queryRows(
  client: pg.ClientBase,
  { name, text }: Statement,
  values: Values,
  prepared: boolean,
): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    const config = { ...(prepared ? { name } : {}), text, values: [...values] };
    const query: RowQuery = new RowQuery(config, (error) => (error ? reject(error) : resolve(query.received)));
    client.query(query);
  });
}

import pg from 'pg';
import type { ColumnTypes, SentRow } from './sent-row.js';
import type { Statement } from './statement.js';

/** Values of a query as the driver takes them. */
type Values = readonly (Buffer | string | null)[];

/** What the driver's connection sends for a query. */
interface Sending {
  readonly submittedNamedStatements: Record<string, string>;
  parse(statement: { readonly text: string; readonly name: string }): void;
  bind(values: { readonly statement: string; readonly values: Values; readonly binary: boolean }): void;
  describe(what: { readonly type: 'P' }): void;
  execute(): void;
  sync(): void;
}

/**
 * The types of the columns of the prepared statements of a connection whose rows are binary: the server has told them
 * once, and refuses a prepared statement whose types have changed since.
 */
const COLUMN_TYPES = new WeakMap<Sending, Map<string, ColumnTypes>>();

/**
 * A query of the driver that keeps rows as the server sent them, and asks for the names and types of columns only
 * where a binary row needs them. The driver's own copies each row, calls a parser for each field, and makes an object
 * of the columns for each query.
 */
class RowQuery extends pg.Query {
  readonly received: SentRow[] = [];
  readonly #statement: Statement;
  readonly #values: Values;
  readonly #name: string;
  #types: ColumnTypes | null = null;
  #prepared: Map<string, ColumnTypes> | null = null;
  declare readonly hasBeenParsed: (connection: Sending) => boolean;

  constructor(
    statement: Statement,
    { values, name }: { readonly values: Values; readonly name: string },
    done: (error: Error | undefined) => void,
  ) {
    // one without parameters, a name or binary rows is sent as plain text, and `prepare` is not called
    const isExtended = name !== '' || values.length > 0 || statement.binary === true;
    super({ text: statement.text, name, ...(isExtended && { queryMode: 'extended' }) }, done);
    this.#statement = statement;
    this.#values = values;
    this.#name = name;
  }

  /** Called by the driver when the query is sent. */
  prepare(connection: Sending): void {
    const { text, binary = false } = this.#statement;
    const name = this.#name;
    if (!this.hasBeenParsed(connection)) {
      connection.parse({ text, name });
      if (name !== '') connection.submittedNamedStatements[name] = text;
    }
    connection.bind({ statement: name, values: this.#values, binary });
    if (binary && !this.#knowsTypes(connection)) connection.describe({ type: 'P' });
    connection.execute();
    connection.sync();
  }

  #knowsTypes(connection: Sending): boolean {
    if (this.#name === '') return false;
    this.#prepared = COLUMN_TYPES.get(connection) ?? new Map();
    COLUMN_TYPES.set(connection, this.#prepared);
    this.#types = this.#prepared.get(this.#name) ?? null;
    return this.#types !== null;
  }

  handleRowDescription({ fields }: { readonly fields: readonly { readonly dataTypeID: number }[] }): void {
    if (!this.#statement.binary) return;
    this.#types = fields.map(({ dataTypeID }) => dataTypeID);
    this.#prepared?.set(this.#name, this.#types);
  }
  handleDataRow(row: SentRow): void {
    this.received.push(row.withTypes(this.#types));
  }
  handleCommandComplete(): void {
    // the rows are all there is to tell
  }
}

/** Sends a query; it is prepared unless `prepared` is false. The client is a `RowClient`. */
export function queryRows(
  client: pg.ClientBase,
  statement: Statement,
  values: Values,
  prepared: boolean,
): Promise<readonly SentRow[]> {
  return new Promise((resolve, reject) => {
    const query: RowQuery = new RowQuery(statement, { values, name: prepared ? statement.name : '' }, (error) =>
      error ? reject(error) : resolve(query.received),
    );
    client.query(query);
  });
}

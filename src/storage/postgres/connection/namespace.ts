import { InvalidArgumentError } from '../../../core/errors.js';

/** The namespace when none is configured. */
export const DEFAULT_NAMESPACE = 'ccv';

const NAME = /^[a-z][a-z0-9_]{0,47}$/;

/** One namespace is one schema: everything that one indexer stores, apart from all others in the same database. */
export interface Namespace {
  readonly name: string;
  /** The schema's name, quoted for SQL. */
  readonly schema: string;
  /** The channel on which commits are announced. */
  readonly channel: string;
}

/** Whether a name can be a namespace's. */
export function isNamespaceName(name: string): boolean {
  return NAME.test(name) && !name.startsWith('pg_') && name !== 'information_schema';
}

/** @throws InvalidArgumentError when the name cannot be a schema's. */
export function parseNamespace(name: string): Namespace {
  if (!isNamespaceName(name))
    throw new InvalidArgumentError(
      `Namespace is ${JSON.stringify(name)}: ` +
        'pass up to 48 lower-case letters, digits and _, beginning with a letter, not pg_',
    );
  return { name, schema: `"${name}"`, channel: `ccv_${name}` };
}

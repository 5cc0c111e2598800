import { InvalidArgumentError } from '../../core/errors.js';
import type { OpenApiServer } from './openapi.js';

/** The path below which a namespace is answered. */
export function namespacePath(name: string): string {
  return `/ns/${name}`;
}

/** @throws InvalidArgumentError for a name that is not one of a namespace. */
export function checkNames(names: readonly string[]): void {
  for (const name of names)
    if (!/^[a-z][a-z0-9_]*$/.test(name))
      throw new InvalidArgumentError(`namespace ${JSON.stringify(name)}: pass a-z, 0-9 and _, beginning with a letter`);
}

/** A path as it is without the prefix of one of the namespaces. */
export function withoutNamespace(path: string, names: readonly string[]): string {
  const name = names.find((each) => path.startsWith(`${namespacePath(each)}/`));
  return name === undefined ? path : path.slice(namespacePath(name).length);
}

/** The places of the API in the document at its root; none where there is only that. */
export function serversOf(names: readonly string[]): readonly OpenApiServer[] {
  const [first] = names;
  if (first === undefined) return [];
  return [
    { url: '/', description: 'The namespace of the process.' },
    {
      url: namespacePath('{namespace}'),
      description: 'Every namespace that the process serves.',
      variables: { namespace: { enum: names, default: first } },
    },
  ];
}

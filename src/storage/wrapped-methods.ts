export type Method = (...args: readonly unknown[]) => unknown;

/** `storage` with `wrap(name, method)` in place of each method. Every member of the storage is one of the result. */
export function wrapMethods<S extends object>(storage: S, wrap: (name: PropertyKey, method: Method) => Method): S {
  const wrapped: object = {};
  for (const name of memberNames(storage)) {
    const member: unknown = Reflect.get(storage, name);
    Object.defineProperty(wrapped, name, {
      enumerable: true,
      ...(typeof member === 'function'
        ? { value: wrap(name, member.bind(storage) as Method) }
        : { get: () => Reflect.get(storage, name) }),
    });
  }
  return wrapped as S;
}

/** Own and inherited, private ones left out. */
function memberNames(storage: object): ReadonlySet<PropertyKey> {
  const names = new Set<PropertyKey>();
  for (let part = storage; part !== Object.prototype; part = Reflect.getPrototypeOf(part) ?? Object.prototype)
    for (const name of Reflect.ownKeys(part)) if (name !== 'constructor') names.add(name);
  return names;
}

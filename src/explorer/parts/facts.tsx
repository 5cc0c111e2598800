import type { ComponentChildren } from 'preact';

/** Facts as pairs of a name and a value; those without a value are left out. */
export function FactList({
  facts,
  isWide = false,
}: {
  readonly facts: readonly (readonly [name: ComponentChildren, value: ComponentChildren])[];
  /** In two columns where there is room. */
  readonly isWide?: boolean;
}) {
  return (
    <dl class={isWide ? 'facts facts-wide' : 'facts'}>
      {facts
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value], index) => (
          <div key={typeof name === 'string' ? name : index}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A part of a page under a heading of its own. */
export function Section({
  title,
  aside,
  children,
}: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="part">
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

import type { ComponentChildren } from 'preact';
import { goTo, hrefOf, withValue } from '../../address/route.js';
import { useChainName } from '../../parts/chain.js';
import { useFacts } from '../../server/page-facts.js';

const MORE = ['sender', 'receiver', 'token', 'fromNumber', 'throughNumber', 'start', 'end', 'order'];

/** The filters of the list. A change of one is a new place in the history. */
export function Filters({ query }: { readonly query: URLSearchParams }) {
  const apply = (name: string, value: string) =>
    goTo(hrefOf('messages', '', withValue(withValue(query, 'cursor', ''), name, value.trim())));
  const given = (name: string) => query.get(name) ?? '';
  const used = MORE.filter((name) => given(name) !== '').length;
  const isFiltered = [...query.keys()].some((name) => name !== 'cursor');
  const text = (name: string, label: string, hint: string) => (
    <Field key={name} name={name} label={label}>
      <input
        id={`filter-${name}`}
        value={given(name)}
        placeholder={hint}
        spellcheck={false}
        autocomplete="off"
        onChange={(event) => apply(name, event.currentTarget.value)}
      />
    </Field>
  );
  const time = (name: string, label: string) => (
    <Field key={name} name={name} label={label}>
      <input
        id={`filter-${name}`}
        type="datetime-local"
        step="1"
        value={localTime(given(name))}
        onChange={(event) => apply(name, utcTime(event.currentTarget.value))}
      />
    </Field>
  );
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <div class="filter-row">
        <Choice name="status" label="Status" value={given('status')} apply={apply}>
          <option value="">any status</option>
          <option value="processing">processing</option>
          <option value="success">verified</option>
          <option value="timeout">timeout</option>
        </Choice>
        <ChainChoice name="source" label="From chain" value={given('source')} apply={apply} />
        <ChainChoice name="dest" label="To chain" value={given('dest')} apply={apply} />
        {isFiltered && (
          <a class="quiet" href={hrefOf('messages')}>
            Clear
          </a>
        )}
      </div>
      <details open={used > 0}>
        <summary>More filters{used > 0 && ` (${used})`}</summary>
        <div class="filter-grid">
          {text('sender', 'Sender', '0x…')}
          {text('receiver', 'Receiver', '0x…')}
          {text('token', 'Token of the source chain', '0x…')}
          {text('fromNumber', 'Number from', '1')}
          {text('throughNumber', 'Number through', '')}
          {time('start', 'Indexed from')}
          {time('end', 'Indexed until')}
          <Choice name="order" label="Order" value={given('order')} apply={apply} isLabelled>
            <option value="">newest first</option>
            <option value="oldest">oldest first</option>
          </Choice>
        </div>
      </details>
    </form>
  );
}

function Field(props: { readonly name: string; readonly label: string; readonly children: ComponentChildren }) {
  return (
    <div class="field">
      <label for={`filter-${props.name}`}>{props.label}</label>
      {props.children}
    </div>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly apply: (name: string, value: string) => void;
}

function Choice({
  name,
  label,
  value,
  apply,
  isLabelled = false,
  children,
}: ChoiceProps & { readonly isLabelled?: boolean; readonly children: ComponentChildren }) {
  return (
    <div class="field">
      <label class={isLabelled ? '' : 'unseen'} for={`filter-${name}`}>
        {label}
      </label>
      <select id={`filter-${name}`} value={value} onChange={(event) => apply(name, event.currentTarget.value)}>
        {children}
      </select>
    </div>
  );
}

/** The chains of the configuration, and those that the address names. */
function ChainChoice(props: ChoiceProps) {
  const { chains } = useFacts();
  const nameOf = useChainName();
  const selectors = new Set([...chains.map(({ selector }) => selector), ...(props.value === '' ? [] : [props.value])]);
  return (
    <Choice {...props}>
      <option value="">{props.name === 'source' ? 'from any chain' : 'to any chain'}</option>
      {[...selectors].map((selector) => (
        <option key={selector} value={selector}>
          {`${props.name === 'source' ? 'from' : 'to'} ${nameOf(selector)}`}
        </option>
      ))}
    </Choice>
  );
}

/** A time of the address (UTC) as the field for local times has it. */
function localTime(text: string): string {
  const date = new Date(/^\d+$/.test(text) ? Number(text) : text);
  if (text === '' || Number.isNaN(date.getTime())) return '';
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function utcTime(local: string): string {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? '' : date.toISOString();
}

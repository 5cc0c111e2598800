import { useEffect, useState } from 'preact/hooks';
import { useFacts } from '../server/page-facts.js';
import { CopyIcon, DoneIcon, OutIcon } from './icons.js';
import { shortHex, unpadded } from './texts.js';

const COPIED_MS = 1_500;

/** Puts a text into the reader's clipboard. */
export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <button
      type="button"
      class="icon-button"
      title={`Copy ${label}`}
      onClick={() => {
        copy(text)
          .then(() => setCopied(true))
          .catch(() => setCopied(false));
      }}
    >
      {isCopied ? <DoneIcon /> : <CopyIcon />}
      <span class="unseen" aria-live="polite">
        {isCopied ? 'copied' : `copy ${label}`}
      </span>
    </button>
  );
}

/** Browsers have the clipboard of `navigator` for encrypted and local pages alone. */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return await navigator.clipboard.writeText(text);
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}

/** What a value in hex is on its chain. */
type HexKind = 'tx' | 'address' | 'block';

/** Hex in short with all of it in the title, a copy button, and a link to the explorer of its chain. */
export function Hex({
  value,
  label,
  chain,
  kind,
  href,
  full = false,
}: {
  readonly value: string;
  /** For the copy button: "message id". */
  readonly label: string;
  /** Selector of the chain that it is of. */
  readonly chain?: string;
  readonly kind?: HexKind;
  /** A place in this page. */
  readonly href?: string;
  /** All digits are shown, over several lines where needed. */
  readonly full?: boolean;
}) {
  const shown = kind === 'address' ? unpadded(value) : value;
  if (shown === '0x') return <span class="none">none</span>;
  const text = full ? shown : shortHex(shown);
  return (
    <span class={full ? 'hex hex-full' : 'hex'}>
      {href === undefined ? (
        <code title={shown}>{text}</code>
      ) : (
        <a href={href} title={shown}>
          <code>{text}</code>
        </a>
      )}
      <CopyButton text={shown} label={label} />
      {chain !== undefined && kind !== undefined && <ExplorerLink chain={chain} kind={kind} value={shown} />}
    </span>
  );
}

/** A link to the place of a value in the block explorer that the configuration names for its chain. */
export function ExplorerLink(props: { readonly chain: string; readonly kind: HexKind; readonly value: string }) {
  const { chains } = useFacts();
  const base = chains.find(({ selector }) => selector === props.chain)?.explorerUrl;
  if (!base) return null;
  return (
    <a
      class="icon-button"
      href={`${base.replace(/\/$/, '')}/${props.kind}/${encodeURIComponent(props.value)}`}
      target="_blank"
      rel="noopener noreferrer"
      title="Show in the block explorer of the chain"
    >
      <OutIcon />
      <span class="unseen">block explorer</span>
    </a>
  );
}

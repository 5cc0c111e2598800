import { useEffect, useState } from 'preact/hooks';
import { goTo, hrefOf, type Route } from '../address/route.js';
import { Failure, Loading, Nothing } from '../parts/notice.js';
import type { Message, MessagePage, TransactionAnswer } from '../server/answers.js';
import { AnswerError, ask, pathOf } from '../server/ask.js';

/** A thing that was found, with its place. */
interface Found {
  readonly text: string;
  readonly href: string;
}

/** Finds out what a text is by its length, and by asking. One find is gone to at once. */
export function SearchView({ route }: { readonly route: Route }) {
  const text = route.subject.trim();
  const [found, setFound] = useState<readonly Found[] | null>(null);
  const [error, setError] = useState<AnswerError | null>(null);
  const [round, setRound] = useState(0);
  const hex = hexIn(text);
  useEffect(() => {
    if (hex === null) return;
    const leaving = new AbortController();
    setError(null);
    find(hex, leaving.signal)
      .then((all) => {
        if (leaving.signal.aborted) return;
        const [only] = all;
        if (all.length === 1 && only) goTo(only.href, 'same');
        else setFound(all);
      })
      .catch((thrown: unknown) => {
        if (!leaving.signal.aborted)
          setError(thrown instanceof AnswerError ? thrown : new AnswerError(0, String(thrown)));
      });
    return () => leaving.abort();
  }, [hex, round]);
  return (
    <>
      <h1>Search</h1>
      <p class="lead">
        <code class="whole">{text}</code>
      </p>
      <Failure error={error} reload={() => setRound((before) => before + 1)} />
      {hex === null && <Nothing text="This is no id and no address: write 0x and hex digits." />}
      {hex !== null && error === null && found === null && <Loading />}
      {found?.length === 0 && <Nothing text="No message, transaction, sender or receiver with it is known here." />}
      {found && found.length > 0 && (
        <ul class="finds">
          {found.map(({ text: line, href }) => (
            <li key={href}>
              <a href={href}>{line}</a>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const ID_DIGITS = 64;

/** Hex of up to 255 bytes in lower case, with or without `0x`; null: it is none. */
function hexIn(text: string): string | null {
  const digits = text.toLowerCase().replace(/^0x/, '');
  return /^(?:[0-9a-f]{2}){1,255}$/.test(digits) ? `0x${digits}` : null;
}

async function find(hex: string, signal: AbortSignal): Promise<readonly Found[]> {
  const isId = hex.length === 2 + ID_DIGITS;
  const finds = await Promise.all([
    isId && isThere(ask<Message>(`v2/messages/${hex}`, signal), { text: 'A message', href: hrefOf('message', hex) }),
    isId &&
      isThere(ask<TransactionAnswer>(`v2/transactions/${hex}`, signal), {
        text: 'A transaction with messages',
        href: hrefOf('tx', hex),
      }),
    ...(['sender', 'receiver'] as const).map((role) =>
      isThere(someBy(role, hex, signal), {
        text: `Messages with this ${role}`,
        href: hrefOf('messages', '', { [role]: hex }),
      }),
    ),
  ]);
  return finds.filter((each): each is Found => each !== false && each !== null);
}

async function someBy(role: 'sender' | 'receiver', hex: string, signal: AbortSignal): Promise<void> {
  const { messages } = await ask<MessagePage>(pathOf('v2/messages', { [role]: hex, limit: '1' }), signal);
  if (messages.length === 0) throw new AnswerError(404, 'none');
}

/** Null where it is not known; every other failure stays one: an outage is no empty answer. */
async function isThere(asked: Promise<unknown>, found: Found): Promise<Found | null> {
  try {
    await asked;
    return found;
  } catch (thrown) {
    if (thrown instanceof AnswerError && thrown.status === 404) return null;
    throw thrown;
  }
}

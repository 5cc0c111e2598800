import { useState } from 'preact/hooks';
import { goTo, hrefOf } from '../address/route.js';
import { SearchIcon } from './icons.js';

/** Where a message id, a transaction, a sender or a receiver is looked for. */
export function SearchBox() {
  const [text, setText] = useState('');
  return (
    <search class="search">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const wanted = text.trim();
          if (wanted === '') return;
          setText('');
          goTo(hrefOf('search', wanted));
        }}
      >
        <label class="unseen" for="search">
          Message id, transaction, sender or receiver
        </label>
        <SearchIcon />
        <input
          id="search"
          type="search"
          value={text}
          placeholder="Message id, transaction, sender or receiver"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </form>
    </search>
  );
}

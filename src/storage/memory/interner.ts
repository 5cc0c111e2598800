import type { Hex } from '../../core/hex.js';
import type { Lane } from '../../protocol/message.js';

const MAX_TEXTS = 20_000;

/**
 * One copy of each value that many records share: addresses, lists of addresses, names, lanes. Texts are held flat and
 * by themselves; a text cut out of a larger one would keep the larger one alive. When an input has more different texts
 * than are worth keeping, sharing starts anew.
 */
export class Interner {
  readonly #texts = new Map<string, string>();
  readonly #lists = new Map<string, readonly Hex[]>();
  readonly #lanes = new Map<bigint, Map<bigint, Lane>>();

  text<S extends string>(text: S): S {
    const known = this.#texts.get(text);
    if (known !== undefined) return known as S;
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear();
    const owned = this.own(text);
    this.#texts.set(owned, owned);
    return owned;
  }

  addresses(addresses: readonly Hex[]): readonly Hex[] {
    const key = addresses.join(',');
    const known = this.#lists.get(key);
    if (known) return known;
    if (this.#lists.size >= MAX_TEXTS) this.#lists.clear();
    const owned = addresses.map((address) => this.text(address));
    this.#lists.set(this.own(key), owned);
    return owned;
  }

  lane(lane: Lane): Lane {
    let dests = this.#lanes.get(lane.sourceChainSelector);
    if (!dests) {
      dests = new Map();
      this.#lanes.set(lane.sourceChainSelector, dests);
    }
    const known = dests.get(lane.destChainSelector);
    if (known) return known;
    dests.set(lane.destChainSelector, lane);
    return lane;
  }

  /** A copy that shares no memory with `text`. */
  own<S extends string>(text: S): S {
    return Buffer.from(text, 'utf8').toString('utf8') as S;
  }
}

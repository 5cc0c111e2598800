/** A node of an `IntrusiveList`: its links live in the item, so that leaving a list costs nothing. */
export interface ListNode<T extends ListNode<T>> {
  /** The list it is in; null in none. An item is in one list at a time. */
  list: IntrusiveList<T> | null;
  previous: T | null;
  next: T | null;
}

/** A first-in, first-out list from whose middle an item can be taken in constant time. */
export class IntrusiveList<T extends ListNode<T>> {
  #first: T | null = null;
  #last: T | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | null {
    return this.#first;
  }

  /** Appends an item that is in no list. */
  push(item: T): void {
    item.list = this;
    item.previous = this.#last;
    item.next = null;
    if (this.#last) this.#last.next = item;
    else this.#first = item;
    this.#last = item;
    this.#size++;
  }

  /** Takes an item of this list out. */
  remove(item: T): void {
    if (item.previous) item.previous.next = item.next;
    else this.#first = item.next;
    if (item.next) item.next.previous = item.previous;
    else this.#last = item.previous;
    item.list = null;
    item.previous = null;
    item.next = null;
    this.#size--;
  }
}

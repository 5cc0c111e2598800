import type { LaneText } from './lane.js';
import { type BoardText, LaneBoard } from './lane-board.js';
import { type OpenMessageText, openMessageText } from './open-message.js';

/** A change of the format; a board of another one is counted anew. */
const FORMAT = 1;

type Line =
  | { readonly format: number; readonly board: BoardText }
  | { readonly lane: LaneText }
  | { readonly open: OpenMessageText };

/** A board as lines of JSON. It must not change before the last line is taken. */
export function* boardLines(board: LaneBoard): Generator<string> {
  yield JSON.stringify({ format: FORMAT, board: board.toText() });
  for (const lane of board.lanes()) yield JSON.stringify({ lane: lane.toText() });
  for (const open of board.openMessages()) yield JSON.stringify({ open: openMessageText(open) });
}

/** The inverse of `boardLines`, a line at a time. */
export class BoardReader {
  #board: LaneBoard | null = null;

  /** Null: the lines are not of this format. */
  get board(): LaneBoard | null {
    return this.#board;
  }

  add(text: string): void {
    const line = JSON.parse(text) as Line;
    if ('format' in line) this.#board = line.format === FORMAT ? new LaneBoard(line.board) : null;
    else this.#board?.restore(line);
  }
}

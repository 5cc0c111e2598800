import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import { nextTurn } from '../core/event-loop.js';
import { BoardReader, boardLines } from './board-text.js';
import type { LaneBoard } from './lane-board.js';

/** Lines that are written or read between two turns of the event loop. */
const LINES_AT_ONCE = 200;

/** A board as bytes. It must not change meanwhile; other work of the process goes on. */
export async function packBoard(board: LaneBoard): Promise<Uint8Array> {
  const lines: string[] = [];
  for (const line of boardLines(board)) {
    lines.push(line);
    if (lines.length % LINES_AT_ONCE === 0 || line.length > LARGE_LINE) await nextTurn();
  }
  return await promisify(gzip)(lines.join('\n'), { level: constants.Z_BEST_SPEED });
}

/**
 * The inverse of `packBoard`; null for the bytes of another format.
 * @throws what bytes that are no board make of it.
 */
export async function unpackBoard(bytes: Uint8Array): Promise<LaneBoard | null> {
  const reader = new BoardReader();
  for (const [index, line] of (await promisify(gunzip)(bytes)).toString().split('\n').entries()) {
    reader.add(line);
    if (index % LINES_AT_ONCE === 0 || line.length > LARGE_LINE) await nextTurn();
  }
  return reader.board;
}

const LARGE_LINE = 100_000;

import { expect } from 'vitest';
import type { Hex } from '../../../src/core/hex.js';
import type { Change } from '../../../src/model/batch.js';
import { changedRecord } from '../../../src/model/identity.js';
import type { KeyedPage, ListQuery } from '../../../src/model/list-query.js';
import type { OrderKey } from '../../../src/model/order.js';
import type { StoredMessage } from '../../../src/model/records.js';
import {
  CCVDataNotFoundError,
  CoverageGapError,
  MessageNotFoundError,
  StorageUnavailableError,
} from '../../../src/model/storage-errors.js';
import type { Storage } from '../../../src/storage/storage.js';
import {
  type FlatPage,
  flatChangesAfter,
  flatLedger,
  flatList,
  flatPage,
  flatResults,
  flatTransaction,
  type ListName,
} from '../../support/oracle/flat-answers.js';
import { type FlatState, lastingTextOf, textOf } from '../../support/oracle/flat-state.js';
import { SELECTORS } from '../../support/records.js';
import type { TiersProcess } from '../process/tiers-process.js';
import { hotSince, unjustified } from './gaps.js';
import type { World } from './world.js';

/** The chain whose cursor moves. */
const CHAIN = SELECTORS.max;
export const CHAIN_SOURCE = `chain:${CHAIN}:0x01`;

/** Who is asked: the process that writes, or the one beside it. */
export type Who = 'writer' | 'reader';

/** A question: how a storage is asked it, and what a flat state answers, both as texts that are equal when the answers are. */
export interface Question {
  readonly what: string;
  /** Only the leader can say, or a tier that it was pruned for: it fails with the error of the one that is away. */
  readonly isOfLeader?: true;
  ask(storage: Storage): Promise<string>;
  answer(state: FlatState): string;
}

/**
 * Asks, and compares the answer with the flat state's: of the process that writes with the present one, of another with any
 * that is no older than what it has shown before.
 * @returns false when the answer was an error that names a gap, which only what is broken can excuse.
 */
export async function ask(world: World, who: Who, question: Question): Promise<boolean> {
  const process = who === 'reader' ? (world.reader ?? world.writer) : world.writer;
  const hotBefore = hotSince(world, process);
  const shownBefore = world.shownPosition;
  let found: string;
  try {
    found = await world.drive(question.ask(process.sink));
  } catch (thrown) {
    if (question.isOfLeader && world.isBroken && thrown instanceof StorageUnavailableError) return false;
    if (!(thrown instanceof CoverageGapError)) throw thrown;
    const why = unjustified(world, process, thrown.gap, hotBefore);
    if (why !== null) throw new Error(`${question.what}: ${thrown.message}, but ${why}`, { cause: thrown });
    world.tally.count(world.isBroken ? `gap named (${thrown.gap.kind})` : 'gap named while a flush is partial');
    return false;
  }
  compare(world, process, question, { found, shownBefore });
  world.tally.count('answers compared');
  if (world.isBroken) world.tally.count('answers compared while broken');
  return true;
}

/** `shownBefore`: the position that was shown when it was asked; questions beside it may have been shown a later one. */
function compare(
  world: World,
  process: TiersProcess,
  question: Question,
  { found, shownBefore }: { readonly found: string; readonly shownBefore: bigint },
): void {
  if (process === world.writer) {
    expectSame(found, question.answer(world.state), question.what);
    return;
  }
  const shown = world.history.find((state) => state.position >= shownBefore && question.answer(state) === found);
  // shows the difference from the present; any state since the last one shown would have been right
  if (!shown) expectSame(found, question.answer(world.state), `${question.what}, of another process`);
  else {
    if (shown.position < world.state.position && question.answer(world.state) !== found)
      world.tally.count('answers of an older state');
    if (shown.position > world.shownPosition) world.shownPosition = shown.position;
  }
}

/** Shows no more than where two long texts begin to differ. */
function expectSame(found: string, expected: string, what: string): void {
  if (found === expected) return;
  const [lines, others] = [found.split('\n'), expected.split('\n')];
  const index = others.findIndex((line, i) => line !== lines[i]);
  const at = index < 0 ? others.length : index;
  const place = `line ${at} of ${others.length}, ${lines.length} found`;
  expect(short(lines[at]), `${what}: ${place}`).toBe(short(others[at]));
  throw new Error(`${what}: ${place}: ${lines[at]} is not ${others[at]}`);
}

/** Without the bytes that say nothing to people. */
function short(line: string | undefined): string | undefined {
  return line?.replaceAll(/bytes:([0-9a-f]{16})[0-9a-f]+/g, '$1…').replaceAll(/0x([0-9a-f]{10})[0-9a-f]+/g, '0x$1…');
}

export function messageQuestion(messageId: Hex): Question {
  return {
    what: `message ${messageId}`,
    ask: async (storage) => await textOrNothing(async () => textOf(await storage.getMessage(messageId))),
    answer: ({ messages }) => {
      const message = messages.get(messageId);
      return message ? lastingTextOf(message) : 'nothing';
    },
  };
}

export function resultsQuestion(messageId: Hex): Question {
  return {
    what: `results of ${messageId}`,
    ask: async (storage) => await textOrNothing(async () => linesOf(await storage.getCCVData(messageId), textOf)),
    answer: (state) => {
      const results = flatResults(state, messageId);
      return results ? linesOf(results, lastingTextOf) : 'nothing';
    },
  };
}

export function transactionQuestion(transactionHash: Hex): Question {
  return {
    what: `transaction ${transactionHash}`,
    isOfLeader: true,
    async ask(storage) {
      const { value, afterPosition } = await storage.getTransaction(transactionHash);
      expect(afterPosition).toBe(0n);
      return `${linesOf(value.messages, textOf)}\n${linesOf(value.executions, textOf)}`;
    },
    answer: (state) => {
      const { messages, executions } = flatTransaction(state, transactionHash);
      return `${linesOf(messages, lastingTextOf)}\n${linesOf(executions, lastingTextOf)}`;
    },
  };
}

export function pageQuestion(list: ListName, query: ListQuery, saw?: (page: FlatPage) => void): Question {
  return {
    what: `${list} ${textOf(query)}`,
    async ask(storage) {
      const page = await (list === 'messages' ? storage.queryMessages(query) : storage.queryCCVData(query));
      saw?.(page);
      return `${linesOf<object>(page.items, textOf)}\nnext ${page.nextCursor}`;
    },
    answer: (state) => {
      const { items, nextCursor } = flatPage(state, list, query);
      return `${linesOf(items, lastingTextOf)}\nnext ${nextCursor}`;
    },
  };
}

export function countQuestion(list: ListName, query: ListQuery): Question {
  return {
    what: `count of ${list} ${textOf(query)}`,
    async ask(storage) {
      const { count } = await (list === 'messages' ? storage.countMessages(query) : storage.countCCVData(query));
      return String(count);
    },
    answer: (state) => String(flatList(state, list, query).length),
  };
}

/**
 * All that only the leader knows. Of a pruned chain it keeps the messages above the chain's cursor and nobody asks for
 * others, so nothing lower is asked here.
 */
export function ledgerQuestion(world: World, above: number, limit: number): Question {
  const afterBlock = (world.state.cursors.get(CHAIN_SOURCE)?.height ?? 0n) + BigInt(above);
  return {
    what: `ledger above block ${afterBlock}`,
    isOfLeader: true,
    async ask(storage) {
      const unfinished = [];
      let after: OrderKey | null = null;
      do {
        const page: KeyedPage<StoredMessage> = await storage.queryUnfinishedMessages({ limit, after });
        unfinished.push(...page.items);
        after = page.next;
      } while (after !== null);
      const all = { afterPosition: 0n, limit: 1000 };
      return ledgerText({
        unfinished,
        aboveBlock: await storage.messagesAboveBlock(CHAIN, afterBlock),
        executionsAbove: await storage.executionsAboveBlock(CHAIN, afterBlock),
        cursors: (await storage.listCursors()).map(({ sourceId, height, hash }) => ({ sourceId, height, hash })),
        quarantine: await storage.queryQuarantine(all),
        conflicts: await storage.queryConflicts(all),
      });
    },
    answer: (state) => ledgerText(flatLedger(state, CHAIN, afterBlock, CHAIN)),
  };
}

function ledgerText(ledger: Readonly<Record<string, readonly object[]>>): string {
  return Object.entries(ledger)
    .flatMap(([what, items]) => items.map((item) => `${what} ${textOf(item)}`))
    .join('\n');
}

/** Every change after a position, read in pages as a follower does: of each record the last state told counts. */
export function followQuestion(afterPosition: bigint, limit: number): Question {
  return {
    what: `changes after ${afterPosition}`,
    isOfLeader: true,
    async ask(storage) {
      const last = new Map<string, Change>();
      let after = afterPosition;
      for (;;) {
        const set = await storage.changesAfter(after, limit);
        expect(set.afterPosition).toBe(after);
        for (const change of set.changes) {
          expect(change.position > set.afterPosition && change.position <= set.throughPosition).toBe(true);
          last.set(changedRecord(change), change);
        }
        if (set.throughPosition >= set.headPosition) break;
        expect(set.throughPosition > after).toBe(true);
        after = set.throughPosition;
      }
      const inOrder = [...last.values()].sort((a, b) => Number(a.position - b.position));
      return inOrder.map(({ kind, record }) => `${kind} ${textOf(record)}`).join('\n');
    },
    answer: (state) => flatChangesAfter(state, afterPosition).join('\n'),
  };
}

function linesOf<T extends object>(items: readonly T[], text: (item: T) => string): string {
  return items.map(text).join('\n');
}

async function textOrNothing(read: () => Promise<string>): Promise<string> {
  try {
    return await read();
  } catch (thrown) {
    if (thrown instanceof MessageNotFoundError || thrown instanceof CCVDataNotFoundError) return 'nothing';
    throw thrown;
  }
}

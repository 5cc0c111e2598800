import { afterEach, beforeEach, describe } from 'vitest';
import { boundCases } from './cases/bounds.js';
import { changeCases } from './cases/changes.js';
import { concurrencyCases } from './cases/concurrency.js';
import { contentsCases } from './cases/contents.js';
import { executionCases } from './cases/executions.js';
import { inputCases } from './cases/input.js';
import { listCases } from './cases/lists.js';
import { messageCases } from './cases/messages.js';
import { positionCases } from './cases/positions.js';
import { reorgCases } from './cases/reorgs.js';
import { replacementCases } from './cases/replacements.js';
import { sourceCases } from './cases/sources.js';
import { transactionCases } from './cases/transactions.js';
import { writeCases } from './cases/writes.js';
import type { ContractSubject, Use } from './subject.js';

/**
 * What every backend and every arrangement of backends does alike: a behaviour that is not in here does not exist.
 * `open` is called for each test and gives an empty storage.
 */
export function storageContract(name: string, open: () => Promise<ContractSubject>): void {
  describe(`storage contract: ${name}`, () => {
    let subject: ContractSubject | undefined;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(async () => {
      await subject?.close();
      subject = undefined;
    });
    const use: Use = () => {
      if (!subject) throw new Error('no storage is open');
      return subject;
    };
    describe('writes', () => writeCases(use));
    describe('input', () => inputCases(use));
    describe('lists', () => listCases(use));
    describe('lists by contents', () => contentsCases(use));
    describe('bounds', () => boundCases(use));
    describe('messages', () => messageCases(use));
    describe('positions', () => positionCases(use));
    describe('reorgs', () => reorgCases(use));
    describe('replacements', () => replacementCases(use));
    describe('executions', () => executionCases(use));
    describe('transactions', () => transactionCases(use));
    describe('sources', () => sourceCases(use));
    describe('changes', () => changeCases(use));
    describe('concurrency', () => concurrencyCases(use));
  });
}

import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { createFinding, exitCodeOf, type Repair } from '../../../src/app/doctor/finding.js';
import { repairFindings } from '../../../src/app/doctor/repair.js';
import { createAgreement } from '../../../src/cli/doctor/agreement.js';
import { IndexerError } from '../../../src/core/errors.js';

/** Both ends of a terminal. */
function terminal(isTTY: boolean) {
  const input = Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.ReadStream & PassThrough;
  const output = new PassThrough() as unknown as NodeJS.WriteStream & PassThrough;
  return { input, output };
}

it('a repair is named, and run only after a yes', async () => {
  const { input, output } = terminal(true);
  const agreement = createAgreement({ isAgreed: false, input, output });
  const answers = [];
  for (const answer of ['y', 'yes', 'n', '']) {
    const agreed = agreement.agree('VACUUM of messages');
    input.write(`${answer}\n`);
    answers.push(await agreed);
  }
  agreement.close();
  expect(answers).toEqual([true, true, false, false]);
  expect(String(output.read())).toContain('VACUUM of messages? [y/N] ');
});

it('without a terminal nothing is agreed to, unless everything is', async () => {
  const { input, output } = terminal(false);
  expect(await createAgreement({ isAgreed: false, input, output }).agree('VACUUM')).toBe(false);
  expect(await createAgreement({ isAgreed: true, input, output }).agree('VACUUM')).toBe(true);
});

it('a repair that fails is told with its reason, and the next one runs', async () => {
  const kind = { severity: 'error', meaning: 'It is broken.', next: 'mend {subject} with {tool}' } as const;
  const finding = (subject: string, repair?: Repair) =>
    createFinding({ id: 'broken', check: 'any', subject, evidence: { tool: 'care' } }, kind, repair ? { repair } : {});
  const broken: Repair = {
    title: 'a',
    run: async () => {
      throw new IndexerError('NO', 'it cannot be', false, { cause: new Error('for a reason') });
    },
  };
  const findings = [
    finding('one', broken),
    finding('two'),
    finding('three', { title: 'b', run: async () => undefined }),
  ];
  const outcomes = await repairFindings(findings, { agree: async () => true, signal: new AbortController().signal });
  expect([...outcomes.values()]).toEqual([
    { state: 'failed', reason: 'it cannot be: for a reason' },
    { state: 'done' },
  ]);
  expect(findings[0]?.next).toBe('mend one with care');
});

it('the exit code is that of the worst finding', () => {
  const codes = [[], ['info'], ['info', 'warning'], ['error', 'warning'], ['critical', 'info']] as const;
  expect(codes.map((severities) => exitCodeOf(severities.map((severity) => ({ severity }))))).toEqual([0, 0, 1, 2, 3]);
});

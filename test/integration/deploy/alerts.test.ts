import { execFile, execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { debianProgram } from '../../support/debian-program.js';
import { ROOT } from '../../support/pages.js';

const directory = join(ROOT, 'config/deploy/prometheus');
const rules = readFileSync(join(directory, 'alerts.yml'), 'utf8');
const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);

async function promtool(...args: readonly string[]): Promise<string> {
  const program = await debianProgram('prometheus', '/usr/bin/promtool');
  const { stdout } = await promisify(execFile)(program, args, { cwd: directory });
  return stdout;
}

it('all alerts are rules that Prometheus takes', async () => {
  expect(await promtool('check', 'rules', 'alerts.yml')).toContain(`SUCCESS: ${names.length} rules found`);
  expect(names.length).toBeGreaterThan(30);
  expect(new Set(names).size).toBe(names.length);
});

it('each alert fires by its fault, and all are quiet in a healthy hour and a half', async () => {
  const tests = readFileSync(join(directory, 'alerts-test.yml'), 'utf8');
  const [healthy = '', ...faults] = tests.split(/^ {2}- name: /m).slice(1);
  expect([...healthy.matchAll(/eval_time: 90m, alertname: (\w+), exp_alerts: \[\]/g)].map(([, name]) => name)).toEqual(
    names,
  );
  expect(faults.filter((fault) => fault.includes('exp_labels')).map((fault) => fault.split('\n')[0])).toEqual(names);
  expect(await promtool('test', 'rules', 'alerts-test.yml')).toContain('SUCCESS');
});

it('each alert is fired by breaking a running product', () => {
  const places = join(ROOT, 'test/e2e/operating/alerts');
  const tests = readdirSync(places).map((file) => readFileSync(join(places, file), 'utf8'));
  const fired = tests.flatMap((text) => [...text.matchAll(/'(CcvIndexer\w+)'/g)].map(([, name]) => name));
  expect(fired.sort()).toEqual([...names].sort());
});

it('each alert has its entry in the runbook, with the same expression, and there are no others', () => {
  const runbook = readFileSync(join(ROOT, 'config/deploy/RUNBOOK.md'), 'utf8');
  const entries = runbook.split(/^### /m).slice(1);
  expect(entries.map((entry) => entry.split('\n')[0])).toEqual(names);
  for (const entry of entries) {
    const [, name = '', severity, expression = ''] =
      /^(\w+)\n\n\*(\w+)\*.*?: `(.*)`\n\n.+\n\n- Look: .+\n- Do: .+/.exec(entry) ?? [];
    expect(rules).toContain(`- alert: ${name}\n        expr: ${expression}\n`);
    expect(rules.split(`- alert: ${name}\n`)[1]).toMatch(new RegExp(`^(?:(?!- alert).)*severity: ${severity} `, 's'));
    expect(rules).toContain(`RUNBOOK.md#${name.toLowerCase()}\n`);
  }
});

it('alerts ask for metrics that the code has', () => {
  const code = execFileSync('grep', ['-rhoE', "'indexer_\\w+'", 'src'], { cwd: ROOT, encoding: 'utf8' });
  const known = new Set(code.split('\n').map((quoted) => quoted.slice(1, -1)));
  const asked = [...rules.matchAll(/indexer_\w+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, ''));
  expect(asked.length).toBeGreaterThan(30);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
});

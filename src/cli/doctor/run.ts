import { configCheck } from '../../app/doctor/checks/config.js';
import { checksFor } from '../../app/doctor/checks.js';
import { type Examination, examine } from '../../app/doctor/examine.js';
import { createFinding, exitCodeOf, type Finding } from '../../app/doctor/finding.js';
import type { CheckedConfig } from '../../config/load.js';
import { ConfigError } from '../../config/problems.js';
import { createCommon } from '../../core/common.js';
import { type ConfigOptions, configFiles, readCheckedConfig } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runCommand } from '../storage/run-command.js';
import { describeExamination } from './text.js';
import { createWaitingLine } from './waiting-line.js';

/** Options of `doctor`. */
export interface DoctorOptions extends ConfigOptions {
  readonly only?: readonly string[];
  readonly full?: boolean;
  /** Milliseconds. */
  readonly limit?: number;
  readonly json?: boolean;
}

/** Of one check. */
const LIMIT_MS = 30_000;
const FULL_LIMIT_MS = 3_600_000;

/** Looks at everything and prints the findings. @returns the exit code, see `exitCodeOf`. */
export async function runDoctor(options: DoctorOptions): Promise<number> {
  const read = readOrFind(options);
  if (!('config' in read)) return tell({ checks: [], findings: read.findings }, '', options);
  const { config, warnings } = read;
  return await runCommand(config, async ({ signal, common }) => {
    const checks = await checksFor(config, options.only);
    const isFull = options.full === true;
    const line = createWaitingLine(common.clock);
    try {
      const examination = await examine(checks, {
        ...{ config, warnings, signal, isFull },
        // a finding says what a log line would
        common: createCommon(),
        limitMs: options.limit ?? (isFull ? FULL_LIMIT_MS : LIMIT_MS),
        onProgress: line.show,
      });
      line.close();
      return tell(examination, config.Namespace, options);
    } finally {
      line.close();
    }
  });
}

/** A configuration that cannot be used is a finding for each of its problems. */
function readOrFind(options: ConfigOptions): CheckedConfig | { readonly findings: readonly Finding[] } {
  try {
    return readCheckedConfig(options);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    const kind = configCheck.kinds['config-invalid'];
    if (!kind) throw thrown;
    return {
      findings: thrown.problems.map(({ path, message, found }) => {
        const evidence = { problem: message, ...(found === undefined ? {} : { value: found }) };
        return createFinding({ id: 'config-invalid', check: configCheck.name, subject: path, evidence }, kind);
      }),
    };
  }
}

function tell({ checks, findings }: Examination, namespace: string, options: DoctorOptions): number {
  const exitCode = exitCodeOf(findings);
  const withFiles = findings.map((finding) => ({ ...finding, next: nameFiles(finding.next, options) }));
  const severity = findings[0]?.severity ?? null;
  if (options.json === true)
    printJson({ namespace, full: options.full === true, severity, exitCode, checks, findings: withFiles });
  else print(...describeExamination({ checks, findings: withFiles }));
  return exitCode;
}

/** The commands in a text with the files of the configuration that was looked at. */
function nameFiles(next: string, options: ConfigOptions): string {
  const { file, secretsFile } = configFiles(options);
  const files = ` -c ${file}${secretsFile === undefined ? '' : ` -s ${secretsFile}`}`;
  return next.replace(/`(ccv-indexer (?!.*--help)[^`]*)`/g, (_, command: string) => `\`${command}${files}\``);
}

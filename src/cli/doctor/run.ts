import { configCheck } from '../../app/doctor/checks/config.js';
import { checksFor } from '../../app/doctor/checks.js';
import { type Examination, examine } from '../../app/doctor/examine.js';
import { createFinding, exitCodeOf, type Finding } from '../../app/doctor/finding.js';
import { presentOf } from '../../app/doctor/present-move.js';
import { type RepairOutcome, repairFindings } from '../../app/doctor/repair.js';
import type { CheckedConfig } from '../../config/load.js';
import { ConfigError } from '../../config/problems.js';
import type { Config } from '../../config/schema/schema.js';
import { createCommon } from '../../core/common.js';
import { readCheckedConfig } from '../config/read-config.js';
import { type ConfigOptions, configFiles } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runCommand } from '../storage/run-command.js';
import { createAgreement } from './agreement.js';
import { describeExamination, describeOutcome } from './text.js';
import { createWaitingLine } from './waiting-line.js';

/** Options of `doctor`. */
export interface DoctorOptions extends ConfigOptions {
  readonly only?: readonly string[];
  readonly full?: boolean;
  /** Milliseconds. */
  readonly limit?: number;
  readonly json?: boolean;
  readonly repair?: boolean;
  /** Every repair is agreed to. */
  readonly yes?: boolean;
}

/** Of one check. */
const LIMIT_MS = 30_000;
const FULL_LIMIT_MS = 3_600_000;

/** Looks at everything and prints the findings. @returns the exit code, see `exitCodeOf`. */
export async function runDoctor(options: DoctorOptions): Promise<number> {
  const read = readOrFind(options);
  if (!('config' in read)) return tell({ checks: [], findings: read.findings }, '', options);
  const { config, warnings } = read;
  return await runCommand(config, async (command) => {
    const { signal, common } = command;
    const present = await presentOf(config, common, signal);
    const checks = await checksFor(present.config, options.only);
    const isFull = options.full === true;
    const line = createWaitingLine(common.clock);
    try {
      const examination = await examine(checks, {
        ...{ ...present, warnings, signal, isFull },
        // a finding says what a log line would
        common: createCommon(),
        limitMs: options.limit ?? (isFull ? FULL_LIMIT_MS : LIMIT_MS),
        onProgress: line.show,
      });
      line.close();
      if (options.repair !== true) return tell(examination, config.Namespace, options);
      return await repair(examination, { config, signal, options });
    } finally {
      line.close();
    }
  });
}

/** Tells the findings, repairs what is agreed to, and tells how that ended. @returns the code of what is left. */
async function repair(
  examination: Examination,
  {
    config,
    signal,
    options,
  }: { readonly config: Config; readonly signal: AbortSignal; readonly options: DoctorOptions },
): Promise<number> {
  const { findings } = examination;
  const isJson = options.json === true;
  if (!isJson) tell(examination, config.Namespace, options);
  const asked = createAgreement({ isAgreed: options.yes === true });
  try {
    const onOutcome = (title: string, outcome: RepairOutcome) => {
      if (!isJson) print(describeOutcome(title, outcome));
    };
    const outcomes = await repairFindings(findings, { agree: asked.agree, onOutcome, signal });
    if (isJson) return tell(examination, config.Namespace, options, outcomes);
    if (outcomes.size === 0) print('there is nothing that can be repaired without a person');
    return exitCodeOf(leftOf(findings, outcomes));
  } finally {
    asked.close();
  }
}

function leftOf(findings: readonly Finding[], outcomes: ReadonlyMap<Finding, RepairOutcome>): readonly Finding[] {
  return findings.filter((finding) => outcomes.get(finding)?.state !== 'done');
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

function tell(
  { checks, findings }: Examination,
  namespace: string,
  options: DoctorOptions,
  outcomes: ReadonlyMap<Finding, RepairOutcome> = new Map(),
): number {
  const exitCode = exitCodeOf(leftOf(findings, outcomes));
  const told = findings.map((finding) => {
    const { repair: work, next } = finding;
    const repair = work && { title: work.title, ...outcomes.get(finding) };
    return { ...finding, next: nameFiles(next, options), repair };
  });
  const severity = findings[0]?.severity ?? null;
  if (options.json === true)
    printJson({ namespace, full: options.full === true, severity, exitCode, checks, findings: told });
  else print(...describeExamination(checks, told));
  return exitCode;
}

/** The commands in a text with the files of the configuration that was looked at. */
function nameFiles(next: string, options: ConfigOptions): string {
  const { file, secretsFile } = configFiles(options);
  const files = ` -c ${file}${secretsFile === undefined ? '' : ` -s ${secretsFile}`}`;
  return next.replace(/`(ccv-indexer (?!.*--help)[^`]*)`/g, (_, command: string) => `\`${command}${files}\``);
}

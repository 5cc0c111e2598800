import type { Command, Option } from 'commander';

/** What may follow an option: nothing, a file, one of these words, or anything. */
export type OptionValue = 'none' | 'file' | 'any' | readonly string[];

/** An option, as a shell completes it. */
export interface OptionWords {
  /** Without hyphens. */
  readonly short: string | null;
  readonly long: string;
  readonly description: string;
  readonly value: OptionValue;
}

/** A command, as a shell completes it. */
export interface CommandWords {
  /** The words behind the program's name, each with a space before it; empty for the program itself. */
  readonly place: string;
  /** Commands below it, and the words that its first argument may be. */
  readonly next: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionWords[];
}

/** All commands of a program, the program itself first. */
export function commandWords(command: Command, place = ''): readonly CommandWords[] {
  const help = command.createHelp();
  const [argument] = command.registeredArguments;
  const next = [
    ...command.commands.map((child) => ({ name: child.name(), description: child.description() })),
    ...(argument?.argChoices ?? []).map((name) => ({ name, description: argument?.description ?? '' })),
  ];
  const options = help.visibleOptions(command).map(optionWords);
  const below = command.commands.flatMap((child) => commandWords(child, `${place} ${child.name()}`));
  return [{ place, next, options }, ...below];
}

function optionWords(option: Option): OptionWords {
  const { short, long = '', description, argChoices, flags } = option;
  const takesAny = /<(?:file|path)>/.test(flags) ? 'file' : 'any';
  return {
    ...{ short: short?.replace(/^-/, '') ?? null, long: long.replace(/^--/, ''), description },
    value: option.required || option.optional ? (argChoices ?? takesAny) : 'none',
  };
}

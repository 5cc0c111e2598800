import type { CommandWords, OptionValue, OptionWords } from './command-words.js';

/** The completion of `program` for bash 3.2 and later. */
export function bashScript(program: string, commands: readonly CommandWords[]): string {
  const name = `_${program.replace(/\W/g, '_')}`;
  return `${name}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at='' words='' options='' word
  # --option=value is three words
  if [ "$cur" = = ]; then cur=''; elif [ "$prev" = = ]; then prev="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do
    case "$at $word" in
      ${commands.flatMap(({ place }) => (place === '' ? [] : [`'${place}'`])).join(' | ')}) at="$at $word" ;;
    esac
  done
  case "$at $prev" in
${valueCases(commands)}
  esac
  case "$at" in
${commands.map(wordsCase).join('\n')}
  esac
  if [ -z "$words" ] || [ "\${cur#-}" != "$cur" ]; then words=$options; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F ${name} ${program}
`;
}

/** A case for each kind of value. */
function valueCases(commands: readonly CommandWords[]): string {
  const patterns = new Map<string, string[]>();
  for (const { place, options } of commands)
    for (const option of options) {
      if (option.value === 'none') continue;
      const line = valueLine(option.value);
      patterns.set(line, [...(patterns.get(line) ?? []), ...namesOf(option).map((name) => `'${place} ${name}'`)]);
    }
  return [...patterns].map(([line, names]) => `    ${names.join(' | ')})\n      ${line}return ;;`).join('\n');
}

function valueLine(value: Exclude<OptionValue, 'none'>): string {
  if (value === 'any') return '';
  // a name of a file may hold spaces
  if (value === 'file')
    return `local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); `;
  // the last of a list with commas
  return `COMPREPLY=($(compgen -P "\${cur%"\${cur##*,}"}" -W '${value.join(' ')}' -- "\${cur##*,}")); `;
}

function wordsCase({ place, next, options }: CommandWords): string {
  const words = next.map(({ name }) => name).join(' ');
  return `    '${place}') words='${words}' options='${options.flatMap(namesOf).join(' ')}' ;;`;
}

function namesOf({ short, long }: OptionWords): readonly string[] {
  return [...(short === null ? [] : [`-${short}`]), `--${long}`];
}

import type { CommandWords, OptionWords } from './command-words.js';

/** The completion of `program` for fish. */
export function fishScript(program: string, commands: readonly CommandWords[]): string {
  const name = `__${program.replace(/\W/g, '_')}_at`;
  const complete = `complete -c ${program}`;
  return `function ${name}
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at $word"
      case ${commands.flatMap(({ place }) => (place === '' ? [] : [`'${place}'`])).join(' ')}
        set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${complete} -f
${commands
  .flatMap(({ place, next, options }) => {
    const here = `${complete} -n "${name} '${place}'"`;
    return [
      ...next.map((word) => `${here} -a ${word.name} -d ${quoted(word.description)}`),
      ...options.map((option) => `${here}${optionFlags(option)} -d ${quoted(option.description)}`),
    ];
  })
  .join('\n')}
`;
}

function optionFlags({ short, long, value }: OptionWords): string {
  const names = `${short === null ? '' : ` -s ${short}`} -l ${long}`;
  if (value === 'none') return names;
  if (value === 'file') return `${names} -r -F`;
  return value === 'any' ? `${names} -x` : `${names} -x -a '${value.join(' ')}'`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

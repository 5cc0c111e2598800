/** An instruction of a Containerfile, for example `COPY` with `--from=install /a /b`. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** The instructions of a Containerfile in their order; lines that are continued are one. */
export function instructionsOf(containerfile: string): readonly Instruction[] {
  return containerfile
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .flatMap((line) => {
      const [, name = '', text = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? [];
      return name === '' ? [] : [{ name, text: text.replace(/ {2,}/g, ' ') }];
    });
}

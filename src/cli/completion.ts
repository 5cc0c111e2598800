import { Argument, Command } from 'commander';
import { bashScript } from './completion/bash.js';
import { commandWords } from './completion/command-words.js';
import { fishScript } from './completion/fish.js';

/** Zsh runs the completion of bash. */
const ZSH = 'autoload -Uz +X compinit bashcompinit && { (( $+functions[compdef] )) || compinit; } && bashcompinit\n';

/** `ccv-indexer completion` */
export function completionCommand(): Command {
  return new Command('completion')
    .description('print the script by which a shell completes commands, options, their values and files')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
The script is made from the commands of this version, and runs nothing when the Tab key is pressed. Once for all, with
bash, fish or zsh; and for the present shell alone:

  $ ccv-indexer completion bash > ~/.local/share/bash-completion/completions/ccv-indexer
  $ ccv-indexer completion fish > ~/.config/fish/completions/ccv-indexer.fish
  $ echo 'source <(ccv-indexer completion zsh)' >> ~/.zshrc
  $ source <(ccv-indexer completion bash)`,
    )
    .action((shell: 'bash' | 'zsh' | 'fish', _: object, command: Command) => {
      const program = command.parent ?? command;
      const commands = commandWords(program);
      const script = shell === 'fish' ? fishScript(program.name(), commands) : bashScript(program.name(), commands);
      process.stdout.write(shell === 'zsh' ? ZSH + script : script);
    });
}

/** Refuses arguments of which a part would be lost: then something stronger might be done than was meant. */
import type { Command, Option } from 'commander';
import { UsageError } from './usage.ts';

/** Options that mean something without a text as well: it takes back what they set. */
export const mayBeEmpty = new WeakSet<Option>();

/** Looks at what was typed before the parser takes a word for what it is not. */
export function expectComplete(parser: Command, argv: readonly string[]): void {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length;
  const options = optionsIn(parser, argv[0]);
  expectOptionsFirst(options, argv.slice(end + 1));
  const seen = new Set<Option>();
  for (let i = 0; i < end; i += 1) {
    const word = argv[i] as string;
    expectText(word);
    const [flag = '', ...rest] = word.split('=');
    const option = options.find(({ long, short }) => flag === long || flag === short);
    if (option === undefined) continue;
    if (option.isBoolean() || option.negate) {
      if (rest.length > 0)
        throw new UsageError(
          `${flag} takes no value in ${parser.name()}.`,
          'Leave out what stands behind it, or all of it.',
        );
      continue;
    }
    if (seen.has(option) && !isRepeatable(option)) throw new UsageError(`${flag} is given twice.`);
    seen.add(option);
    const next = rest.length > 0 ? rest.join('=') : argv[i + 1];
    if (next === '' && mayBeEmpty.has(option)) i += rest.length > 0 ? 0 : 1;
    else if (rest.length > 0) expectValue(flag, rest.join('='));
    // What may stand without a value takes no option for one.
    else if (option.required && i + 1 < argv.length) {
      i += 1;
      expectValue(flag, argv[i] as string, true);
    }
  }
}

/** The options that may stand behind this first word. */
export function optionsIn(parser: Command, first: string | undefined): readonly Option[] {
  const command = parser.commands.find((candidate) => candidate.name() === first);
  return [...parser.options, ...(command?.options ?? [])];
}

/** A word is neither empty, nor one that only looks as if it began with hyphens. */
function expectText(word: string): void {
  if (word.trim() === '') {
    throw new UsageError(
      'An argument is empty.',
      'It may be a variable of the shell that is not set: set it, or leave the argument out.',
    );
  }
  const [, name] = /^[\s\p{Cf}]*[\p{Pd}−][\p{Pd}\p{Cf}−]*(.*)$/u.exec(word) ?? [];
  if (name === undefined || word.startsWith('-')) return;
  const what = /^[ \t\r\n]+-/.test(word) ? 'a blank' : 'a dash that is no hyphen';
  throw new UsageError(
    `${word} begins with ${what}.`,
    `Type it with hyphens: ${/^\d/.test(name) ? '-' : '--'}${name}`,
  );
}

function expectValue(flag: string, value: string, isWord = false): void {
  if (value.trim() === '') {
    throw new UsageError(
      `${flag} is given without a value.`,
      'It may be a variable of the shell that is not set: set it, or leave the option out.',
    );
  }
  // A negative number is refused as a number, where it is none that fits.
  if (isWord && /^-(?!\d)/.test(value)) {
    throw new UsageError(
      `${flag} needs a value, and ${value} behind it looks like an option.`,
      `Where it is the value, type: ${flag}=${value}`,
    );
  }
}

/** What stands behind two dashes is no option for the parser. */
function expectOptionsFirst(options: readonly Option[], rest: readonly string[]): void {
  const lost = rest.find((word) =>
    options.some(({ long, short }) => [long, short].includes(word.split('=', 1)[0])),
  );
  if (lost === undefined) return;
  throw new UsageError(`${lost} stands behind -- and would not be read as an option.`, 'Leave the -- out.');
}

/** Its reader takes what it has read before; that of choices looks as if it did. */
function isRepeatable({ parseArg, argChoices }: Option): boolean {
  return argChoices === undefined && (parseArg?.length ?? 0) > 1;
}

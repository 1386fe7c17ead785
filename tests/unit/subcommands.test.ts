/** The commands of the bin beside the flags of `npm run migrate`: the same actions, typed in two ways. */
import { describe, expect, test } from 'vitest';
import { HelpShown } from '../../scripts/command/arguments.ts';
import { commandLine, exampleText, programName, siblingName } from '../../scripts/command/invocation.ts';
import { UsageError } from '../../scripts/command/usage.ts';
import { type CommandName, commandNames, flagsOf } from '../../scripts/migrate/actions.ts';
import { flagNames, flagText } from '../../scripts/migrate/flags.ts';
import { helpOf } from '../../scripts/migrate/help.ts';
import { parseOptions } from '../../scripts/migrate/options.ts';
import { commandOfFlag, spelled } from '../../scripts/migrate/spelling.ts';

const flags = (...argv: string[]) => parseOptions(argv, 'npm run migrate');
const typed = (command: CommandName, ...argv: string[]) => parseOptions(argv, `imago ${command}`, command);
const user = '7b4e1c3e-0000-4000-8000-000000000001';

/** What a refusal says, and what it tells to type. */
function refusal(read: () => unknown): { message: string; hint: string | undefined } {
  try {
    read();
  } catch (error) {
    if (error instanceof UsageError) return { message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error('it was not refused');
}

/** What --help prints. */
function helpText(command: CommandName, program = `imago ${command}`): string {
  const written: string[] = [];
  const { write } = process.stdout;
  process.stdout.write = (text) => written.push(String(text)) > 0;
  try {
    parseOptions(['--help'], program, command);
  } catch (error) {
    if (!(error instanceof HelpShown)) throw error;
  } finally {
    process.stdout.write = write;
  }
  return written.join('');
}

describe('a command of the bin', () => {
  test.each<[command: CommandName, argv: string[], same: string[]]>([
    ['migrate', [], []],
    ['migrate', ['--workers', '3', '--no-backup'], ['--workers', '3', '--no-backup']],
    ['dry-run', [], ['--dry-run']],
    ['dry-run', ['preflight'], ['--dry-run=preflight']],
    ['dry-run', ['full', '--max-ms', '900'], ['--dry-run=full', '--max-ms', '900']],
    ['status', [], ['--stats-only']],
    ['status', ['--json', '--plan', 'profile_gigs'], ['--stats-only', '--json', '--plan', 'profile_gigs']],
    ['watch', [], ['--watch']],
    ['rollback', ['--force'], ['--rollback', '--force']],
    ['rollback', ['--user', user], ['--rollback', '--user', user]],
    ['pause', ['--via-function'], ['--pause', '--via-function']],
    ['resume', ['--workers', '2'], ['--resume', '--workers', '2']],
    ['cancel', ['--yes'], ['--cancel', '--yes']],
    ['retry', ['--max-failures', '2%'], ['--retry-failed', '--max-failures', '2%']],
    ['finalize', [], ['--finalize']],
    ['finalize', ['--dry-run'], ['--finalize', '--dry-run']],
    ['finalize', ['--allow-data-loss', '-y'], ['--finalize', '--allow-data-loss', '-y']],
    ['cleanup', ['--dry-run'], ['--cleanup', '--dry-run']],
    ['cleanup', ['--older-than', '7 days'], ['--cleanup', '--older-than', '7 days']],
  ])('%s %j is read as npm run migrate -- %j', (command, argv, same) => {
    expect(typed(command, ...argv)).toEqual(flags(...same));
  });

  test.each<[argv: string[]]>([[['--rollback', '--force']], [['--stats-only']], [['--finalize', '--yes']]])(
    'imago migrate with the flags %j is read as npm run migrate is',
    (argv) => {
      expect(typed('migrate', ...argv)).toEqual(flags(...argv));
    },
  );

  test('schedule takes --every and --finalize, which no flag of migrate does', () => {
    expect(typed('schedule', '--every', '1 minute')).toMatchObject({ action: 'schedule', every: '1 minute' });
    expect(typed('schedule', '--finalize')).toMatchObject({ action: 'schedule', thenFinalize: true });
    expect(typed('unschedule')).toMatchObject({ action: 'unschedule' });
    expect(refusal(() => flags('--every', '1 minute')).message).toContain('does not take --every');
  });

  test.each<[command: CommandName, argv: string[], message: string, hint: string]>([
    ['status', ['--reset'], 'imago status does not take --reset.', 'imago migrate and imago dry-run.'],
    ['rollback', ['--no-backup'], 'imago rollback does not take --no-backup.', 'imago migrate, imago resume'],
    ['pause', ['--workers', '2'], 'imago pause does not take --workers.', 'imago rollback'],
    ['finalize', ['--retry-failed'], '--retry-failed is a command of its own.', 'Type: imago retry'],
    ['watch', ['--stats-only'], '--stats-only is a command of its own.', 'Type: imago status'],
    ['migrate', ['rollback'], 'too many arguments: rollback', 'Type: imago rollback'],
    ['migrate', ['schedule'], 'too many arguments: schedule', 'Type: imago schedule'],
    ['dry-run', ['full', 'more'], 'too many arguments: more', 'imago dry-run --help'],
  ])('%s %j is refused, and where it belongs is said', (command, argv, message, hint) => {
    const said = refusal(() => typed(command, ...argv));
    expect(said.message).toBe(message);
    expect(said.hint).toContain(hint);
  });

  test.each<[command: CommandName, argv: string[], message: string]>([
    ['rollback', ['--rollback'], 'is that already: leave --rollback out'],
    ['status', ['--yes'], 'asks nothing: leave --yes out'],
    ['finalize', ['--dry-run=full'], '--dry-run takes no value in imago finalize'],
    ['dry-run', ['half'], 'Allowed choices are sample, full, preflight'],
    ['rollback', ['--user', user, '--workers', '2'], '--workers cannot be combined with --user'],
    ['schedule', ['--every', 'often'], 'It must be a period'],
    ['watch', ['--nonsense'], "unknown option '--nonsense'"],
  ])('%s %j is refused, and why is said', (command, argv, message) => {
    expect(refusal(() => typed(command, ...argv)).message).toContain(message);
  });

  test('npm run migrate -- rollback is refused, and the flag for it is named', () => {
    expect(refusal(() => flags('rollback')).hint).toBe('Type: npm run migrate -- --rollback');
    expect(refusal(() => flags('status')).hint).toBe('Type: npm run migrate -- --stats-only');
    expect(refusal(() => flags('schedule')).hint).toBe('Type: npm run imago -- schedule');
  });
});

describe('--help', () => {
  test.each(commandNames)(
    'of %s has examples that it can read, and no option of another command',
    (command) => {
      const text = helpText(command);
      expect(text).toContain(`Usage: imago ${command}`);
      for (const [example] of helpOf[command].examples) {
        expect(text).toContain(commandLine(`imago ${command}`, example ? [example] : []));
        const words = example.match(/'[^']*'|\S+/g) ?? [];
        expect(() =>
          typed(command, ...words.map((word) => word.replaceAll("'", '').replace('<uuid>', user))),
        ).not.toThrow();
      }
      const own = flagsOf(command).map(flagText);
      const known = new Set([...own, '--plan', '--json', '--yes', '--verbose', '--help']);
      if (command === 'migrate') known.add('--dry-run');
      const listed = [...text.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
      expect(listed.filter((flag) => !known.has(flag))).toEqual([]);
      expect(own.filter((flag) => !listed.includes(flag))).toEqual([]);
    },
  );

  test('of npm run migrate has the flags of all actions', () => {
    const text = helpText('migrate', 'npm run migrate');
    for (const name of flagNames.filter((name) => name !== 'every')) expect(text).toContain(flagText(name));
    expect(text).toContain('npm run migrate -- --rollback --user <uuid>');
  });

  test('of a command has npm run --silent in its examples with --json', () => {
    const text = exampleText('npm run validate', [['--json', 'for scripts']]);
    expect(text).toContain('npm run -s validate -- --json  for scripts');
  });
});

describe('what to type next', () => {
  test('every action that is a flag has a command, and each command is found by its flag', () => {
    const found = flagNames.map((name) => commandOfFlag(flagText(name))).filter(Boolean);
    const withoutFlag = ['migrate', 'schedule', 'throttle', 'unschedule'];
    expect([...found, ...withoutFlag].toSorted()).toEqual([...commandNames].toSorted());
  });

  test.each<[program: string, argv: string[], line: string]>([
    ['npm run migrate', ['--rollback', '--force'], 'npm run migrate -- --rollback --force'],
    ['node scripts/migrate.ts', ['--resume'], 'node scripts/migrate.ts --resume'],
    ['imago migrate', ['--rollback', '--force'], 'imago rollback --force'],
    ['imago watch', ['--plan', 'x', '--resume'], 'imago resume --plan x'],
    ['imago status', [], 'imago migrate'],
    ['npx --no imago dry-run', ['--dry-run=preflight'], 'npx --no imago dry-run preflight'],
    ['npm run imago -- finalize', ['--cleanup'], 'npm run imago -- cleanup'],
  ])('from %s the flags %j are typed as %s', (program, argv, line) => {
    expect(spelled(program, argv)).toBe(line);
  });

  test('a command of imago is named as it was called', () => {
    const name = (command: string, script: string, event?: string) =>
      programName(command, event === undefined ? {} : { npm_lifecycle_event: event }, script);
    expect(name('migrate', '/x/scripts/migrate.ts', 'migrate')).toBe('npm run migrate');
    expect(name('rollback', '/x/node_modules/.bin/imago')).toBe('imago rollback');
    expect(name('rollback', '/x/node_modules/.bin/imago', 'npx')).toBe('npx --no imago rollback');
    expect(name('rollback', '/x/node_modules/.bin/imago', 'rollback')).toBe('npx --no imago rollback');
    expect(name('rollback', '/x/scripts/imago.ts', 'imago')).toBe('npm run imago -- rollback');
    expect(siblingName('node scripts/migrate.ts', 'validate')).toBe('node scripts/validate.ts');
    expect(siblingName('npm run imago -- dry-run', 'validate')).toBe('npm run imago -- validate');
  });
});

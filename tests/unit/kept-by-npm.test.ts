/** Options that npm has kept for itself are refused, and not lost: what npm hands on was measured with npm 11. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command } from 'commander';
import { describe, expect, onTestFinished, test } from 'vitest';
import { expectNothingKept, keptOptions } from '../../scripts/command/kept-by-npm.ts';
import { UsageError } from '../../scripts/command/usage.ts';
import { parsers } from '../../scripts/imago/parsers.ts';
import { packageFolder } from '../../scripts/package.ts';

const all = [...parsers].map(([name, parserOf]) => parserOf(`npm run ${name}`));

/** What is said of a call for which npm has kept this. */
function said(command: string, argv: string[], kept: Record<string, string>): UsageError | undefined {
  const own = parsers.get(command)?.(`npm run ${command}`);
  if (!own) throw new Error(command);
  const environment = Object.fromEntries(
    Object.entries(kept).map(([name, value]) => [`npm_config_${name}`, value]),
  );
  try {
    expectNothingKept(argv, own, all, environment);
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  return undefined;
}

const typed = (...call: Parameters<typeof said>) => /^Type: (.*)$/m.exec(said(...call)?.hint ?? '')?.[1];

describe('what npm has kept', () => {
  test.each<[string, string[], Record<string, string>, string]>([
    ['migrate', [], { dry_run: 'true' }, 'npm run migrate -- --dry-run'],
    ['migrate', ['full'], { dry_run: 'true' }, 'npm run migrate -- --dry-run=full'],
    ['migrate', [], { stats_only: 'true' }, 'npm run migrate -- --stats-only'],
    ['migrate', [], { backup: '' }, 'npm run migrate -- --no-backup'],
    ['migrate', [], { workers: '3', batch_size: '50' }, 'npm run migrate -- --workers=3 --batch-size=50'],
    ['migrate', ['50'], { batch_size: 'true' }, 'npm run migrate -- --batch-size=50'],
    ['migrate', [], { workers: '' }, 'npm run migrate -- --workers <n>'],
    [
      'migrate',
      [],
      { rollback: 'true', force: 'true', yes: 'true' },
      'npm run migrate -- --rollback --force --yes',
    ],
    ['migrate', ['--plan', 'x'], { dry_run: 'true' }, 'npm run migrate -- --plan x --dry-run'],
    ['migrate', ['x'], { all: 'true', long: 'true', parseable: 'true' }, 'npm run migrate -- --plan=x'],
    ['migrate', [''], { all: 'true', long: 'true', parseable: 'true' }, 'npm run migrate -- --plan <name>'],
    [
      'migrate',
      [],
      { older_than: '30 days', cleanup: 'true' },
      "npm run migrate -- --older-than='30 days' --cleanup",
    ],
    ['migrate', [], { json: 'true' }, 'npm run migrate -- --json'],
    ['migrate', [], { dryrun: 'true' }, 'npm run migrate -- --dry-run'],
    ['migrate', [], { statsonly: 'true' }, 'npm run migrate -- --stats-only'],
    ['migrate', [], { stats: 'true' }, 'npm run migrate -- --stats-only'],
    ['migrate', [], { stast_only: 'true' }, 'npm run migrate -- --stats-only'],
    ['migrate', [], { rolback: 'true' }, 'npm run migrate -- --rollback'],
    ['validate', [], { fix_issues: 'true', dry_run: 'true' }, 'npm run validate -- --fix-issues --dry-run'],
    ['db', ['upgrade'], { linked: 'true' }, 'npm run db -- upgrade --linked'],
    [
      'db',
      ['migrate', 'a b'],
      { rename: 'a=b\n\nc=d' },
      "npm run db -- migrate 'a b' --rename=a=b --rename=c=d",
    ],
    [
      'install',
      ['avatars'],
      { all: 'true', long: 'true', parseable: 'true', loglevel: 'silent' },
      'npm run install -- avatars --plans <names>',
    ],
    ['local', [], { reset: 'true', yes: 'true' }, 'npm run local -- --reset'],
    ['local', [], { sample: '5' }, 'npm run local -- --sample=5'],
  ])('of %s %j is refused with what to type instead: %j, %s', (command, argv, kept, line) => {
    expect(typed(command, argv, kept)).toBe(line);
  });

  test.each([
    ['db', ['upgrade'], 'dry_run', '--dry-run'],
    ['rollback', [], 'dry_run', '--dry-run'],
    ['rollback', [], 'stats_only', '--stats-only'],
    ['doctor', [], 'plan_only', undefined],
    ['doctor', [], 'linked', '--linked'],
  ])('of %s %j and belongs to another command is refused as well: %s', (command, argv, name, flag) => {
    expect(said(command, argv, { [name]: 'true' })?.hint).toEqual(
      flag && expect.stringContaining(`has no ${flag}`),
    );
  });

  test.each([...parsers.keys()])('of %s is refused for each of its options but --yes', (command) => {
    const parser = parsers.get(command)?.(`npm run ${command}`);
    for (const owner of parser ? [parser, ...parser.commands] : []) {
      for (const { long = '', negate } of owner.options) {
        const name = long.replace(/^--(no-)?/, '').replaceAll('-', '_');
        const refused = said(command, owner === parser ? [] : [owner.name()], {
          [name]: negate ? '' : 'true',
        });
        expect([long, refused?.message]).toEqual([
          long,
          long === '--yes' ? undefined : expect.stringContaining(`npm has kept ${long} `),
        ]);
      }
    }
  });

  test.each([
    [{ yes: 'true' }],
    [{ yes: '', dry_run: '', force: 'false', json: '' }],
    [{ loglevel: 'silent', user_agent: 'npm/11', noproxy: '', workspaces: 'false', prefix: '/', cache: '/' }],
    [
      {
        arch: 'x64',
        target: '1',
        runtime: 'node',
        platform: 'linux',
        build_from_source: 'true',
        disturl: 'x',
        python: 'p',
      },
    ],
    [
      {
        shamefully_hoist: 'true',
        strict_peer_dependencies: 'false',
        auto_install_peers: 'true',
        node_linker: 'x',
      },
    ],
    [{ all: 'true' }],
  ])('and is not ours, or does no harm, is nobody to complain of: %j', (kept) => {
    for (const command of parsers.keys()) expect(said(command, [], kept)).toBeUndefined();
  });

  test('of what arrived all the same nothing is lost', () => {
    expect(said('migrate', ['--dry-run'], { dry_run: 'true' })).toBeUndefined();
    expect(said('migrate', ['--json', '--dry-run=full'], { json: 'true', dry_run: 'true' })).toBeUndefined();
    expect(said('migrate', ['--json'], { json: 'true', stats_only: 'true' })).toBeDefined();
  });

  test('yarn 1 keeps what stands before the script, and hands on the line', () => {
    const line = (...original: string[]) => ({ argv: JSON.stringify({ remain: [], cooked: [], original }) });
    expect(typed('migrate', [], line('run', '--dry-run', 'migrate'))).toBe('npm run migrate -- --dry-run');
    expect(typed('migrate', [], line('--workers=3', 'migrate'))).toBe('npm run migrate -- --workers=3');
    expect(said('migrate', ['--dry-run'], line('run', 'migrate', '--dry-run'))).toBeUndefined();
    expect(said('migrate', [], line('--silent', 'run', 'migrate'))).toBeUndefined();
    expect(said('migrate', [], { argv: 'no JSON' })).toBeUndefined();
  });

  test('pnpm hands it on as npm does, and is named as who has kept it', () => {
    const kept = { dry_run: 'true', user_agent: 'pnpm/10.1.0 npm/? node/v24.0.0 linux x64' };
    expect(typed('migrate', [], kept)).toBe('npm run migrate -- --dry-run');
    expect(said('migrate', [], kept)?.message).toContain('pnpm has kept --dry-run');
  });

  test('a variable in capitals is one of npm, too', () => {
    const own = parsers.get('migrate')?.('npm run migrate') as Command;
    expect(() => expectNothingKept([], own, all, { NPM_CONFIG_DRY_RUN: 'true' })).toThrow('kept --dry-run');
  });

  test.each([
    [['run', '--dry-run', 'migrate'], 'Type: npm run migrate -- --dry-run'],
    [['--workers=3', 'run', 'migrate'], 'Type: npm run migrate -- --workers=3'],
    [['run', 'migrate', '--help'], 'Usage: npm run migrate'],
  ])('bun hands on nothing, so its own line is looked at: %j', (line, says) => {
    // In the place of bun: a process with its line, which starts the script with what stands behind the name.
    const started = line.slice(line.indexOf('migrate') + 1);
    const start = `require('node:child_process').spawnSync(process.execPath, ${JSON.stringify([path.join(packageFolder, 'scripts/migrate.ts'), ...started])}, { stdio: 'inherit' })`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', start, '--', ...line], {
      encoding: 'utf8',
      env: {
        ...process.env,
        npm_config_user_agent: 'bun/1.4.5 npm/? node/v24.0.0 linux x64',
        npm_lifecycle_event: 'migrate',
        SUPABASE_URL: 'http://127.0.0.1:9',
        SUPABASE_SECRET_KEY: 'sb_secret_of_nobody',
      },
    });
    expect(stdout + stderr).toContain(says);
  });

  test.each(['force', 'json'])('of an .npmrc is no slip where npm knows the name: %s', async (name) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'imago-npmrc-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const kept = { [name]: 'true', local_prefix: folder };
    expect(said('migrate', [], kept)).toBeDefined();
    await writeFile(path.join(folder, '.npmrc'), `${name} = true\n`);
    expect(said('migrate', [], kept)).toBeUndefined();
    expect(said('migrate', [], { ...kept, dry_run: 'true' })).toBeDefined();
  });

  test('takes none of the names that npm itself has for ours, but for four', () => {
    const listed = execFileSync('npm', ['config', 'list', '--long', '--json'], { encoding: 'utf8' });
    const names = Object.keys(JSON.parse(listed)).map((name) => name.replaceAll('-', '_'));
    expect(names.length).toBeGreaterThan(100);
    const known = all.flatMap(({ options, commands }) => [
      ...options,
      ...commands.flatMap((one) => one.options),
    ]);
    const taken = names.filter((name) => keptOptions(known, { [`npm_config_${name}`]: 'true' }).length > 0);
    // `key` is one that npm no longer hands on.
    expect(taken.filter((name) => name !== 'key').sort()).toEqual(['dry_run', 'force', 'json', 'yes']);
  });
});

/** What the command refuses before it calls anybody, as a process. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runCommand } from '../support/command.ts';
import { runLine } from '../support/copy.ts';

describe('npm run migrate', () => {
  /** Nobody listens there: a call would take its retries and end with 1. */
  const nowhere = { SUPABASE_URL: 'http://127.0.0.1:9' };

  test('--help shows options and examples on stdout and ends with 0', async () => {
    const { code, stdout, stderr } = await runCommand(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const flag of ['--plan', '--stats-only', '--dry-run', '--no-backup', '--retry-failed', '--dump']) {
      expect(stdout).toContain(flag);
    }
    expect(stdout).toContain('Examples:');
    expect(stdout).toContain('Exit codes: 0 all done');
  });

  test('an unknown option ends with 2 and names --help', async () => {
    const { code, stdout, stderr } = await runCommand(['--nonsense']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain("unknown option '--nonsense'");
    expect(stderr).toContain('--help');
  });

  test('with --json wrong usage is an object, too', async () => {
    const finished = await runCommand(['--json', '--workers', '0']);
    expect(finished.code).toBe(2);
    expect(finished.json()).toMatchObject({ type: 'result', status: 'usage', exit_code: 2 });
  });

  test('a publishable key is refused before any call', async () => {
    const { code, stdout, stderr } = await runCommand(['--yes'], {
      ...nowhere,
      SUPABASE_SECRET_KEY: 'sb_publishable_abc',
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('every visitor of the app has it');
    expect(stderr).toContain('SUPABASE_SECRET_KEY');
    expect(stderr).toContain('sb_secret_');
  });

  test('without a terminal and without --yes nothing is changed', async () => {
    const { code, stderr } = await runCommand([], { ...nowhere, SUPABASE_SECRET_KEY: 'sb_secret_abc' });
    expect(code).toBe(2);
    expect(stderr.split('\n')[0]).toBe('Target: http://127.0.0.1:9, plan avatars');
    expect(stderr).toContain('--yes');
  });

  test('--reset is refused on a database that is not the embedded one', async () => {
    const { code, stderr } = await runCommand(['--reset', '--yes'], {
      ...nowhere,
      SUPABASE_SECRET_KEY: 'sb_secret_abc',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('embedded Supabase only');
  });

  test('imago migrate is the same command, and imago without a command is wrong usage', async () => {
    const script = 'scripts/imago.ts';
    const missing = await runCommand([], {}, { script });
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain('Usage: imago <command>');
    const help = await runCommand(['migrate', '--help'], {}, { script });
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Usage: imago migrate');
  });
});

describe('what npm takes for itself', () => {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  /** A call would find nobody there, and end with 1. */
  const nowhere = { SUPABASE_URL: 'http://127.0.0.1:9', SUPABASE_SECRET_KEY: 'sb_secret_abc' };

  test.each([
    ['npm run migrate --dry-run', 'npm run migrate -- --dry-run'],
    ['npm run migrate --dry-run=preflight -- --yes', 'npm run migrate -- --yes --dry-run=preflight'],
    [
      'npm run migrate --stats-only --plan profile_gigs',
      'npm run migrate -- --stats-only --plan=profile_gigs',
    ],
    ['npm run migrate --workers=1 --no-backup -- --yes', 'npm run migrate -- --yes --workers=1 --no-backup'],
    ['npm run migrate --dryrun -- --yes', 'npm run migrate -- --yes --dry-run'],
    ['npm run validate --fix-issues --json', 'npm run validate -- --fix-issues --json'],
    ['npm run db upgrade --linked', 'npm run db -- upgrade --linked'],
    [
      'npm run imago rollback --user=7b4e1c3e-0000-4000-8000-000000000001',
      'npm run imago -- rollback --user=7b4e1c3e',
    ],
  ])('%s ends with 2 and says what to type', async (line, instead) => {
    const { code, stderr } = await runLine(root, `exec ${line}`, nowhere);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`Type: ${instead}`)]);
    expect(stderr).toContain('Nothing was done.');
  });

  test('is nothing where the options stand behind --', async () => {
    const { code, stderr } = await runLine(root, 'npm run migrate --loglevel=error -- --stats-only', nowhere);
    expect([code, stderr]).toEqual([1, expect.not.stringContaining('npm has kept')]);
  });
});

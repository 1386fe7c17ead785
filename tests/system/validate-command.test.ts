/** `npm run validate` as a process on a real database through the real Data API: what it does, says, and ends with. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Sql } from 'postgres';
import { describe, expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { parseOptions } from '../../scripts/validate/options.ts';
import { call, value } from '../support/call.ts';
import {
  answerOnTerminal,
  freshProject,
  type Project,
  runCommand,
  startCommand,
} from '../support/command.ts';
import { checksums, migrateAll, rollbackAll } from '../support/imago.ts';
import { startProxy } from '../support/proxy.ts';
import { createTally } from '../support/tally.ts';
import { until } from '../support/until.ts';

const script = { script: 'scripts/validate.ts' };
const validate = (args: string[], environment: Record<string, string> = {}) =>
  runCommand(args, environment, script);

/** A project whose users have been migrated. */
async function migratedProject(): Promise<Project> {
  return await freshProject({ avatars: 'migrated' });
}

/** The app writes posts without an avatar: an error that has a fix. */
const loseAvatars = (sql: Sql, posts = 12) =>
  sql`update public.posts set avatar_id = null where id in (select id from public.posts order by id limit ${posts})`;

const lost = (sql: Sql) =>
  value<number>(sql, 'select count(*)::int from public.posts where avatar_id is null');

/** A post whose author is gone: nothing that a fix could repair. */
async function orphanPost(sql: Sql): Promise<void> {
  await sql`alter table public.posts drop constraint posts_user_id_fkey`;
  await sql`insert into public.posts (user_id, body) values (gen_random_uuid(), 'Sentence xq7')`;
}

/** An avatar whose owner is gone: a warning. */
async function orphanAvatar(sql: Sql): Promise<void> {
  await sql`alter table public.avatars drop constraint avatars_owner_user_id_fkey`;
  await sql`insert into public.avatars (owner_user_id, name) values (gen_random_uuid(), 'Adelheid xq7')`;
}

async function reportFile(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-report-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return path.join(folder, 'validation.html');
}

describe('npm run validate on a healthy database', () => {
  test('before a run: says where it works and that nothing is wrong, with an estimate, ends with 0, and reports that', async () => {
    const { db, environment, url } = await freshProject();
    const before = await checksums(db.sql);
    const file = await reportFile();
    await writeFile(file, 'an older one', { mode: 0o644 });
    const { code, stdout, stderr } = await validate(['--report', file], environment);
    expect({ code, stderr }).toEqual({ code: 0, stderr: `Target: ${url}, plan avatars\n` });
    expect(stdout).toContain('Nothing is wrong.');
    expect(stdout).toContain('before the migration');
    expect(stdout).toMatch(/sample: .*entities 300/);
    expect(stdout).toContain('Migrate: node scripts/migrate.ts');
    expect(await checksums(db.sql)).toEqual(before);

    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const html = await readFile(file, 'utf8');
    expectWellFormed(html);
    expect(html).toContain('the migration has not been started');
    expect(html).not.toContain('<svg class="picture"');

    // Each object is named, with what to do; names cannot paint over the terminal, and are text on the page.
    const hostile = `\u001b[2J</code><script>alert("1")</script>\u202e&amp;'`;
    await db.sql.unsafe(`
      create function public.count_it() returns trigger language plpgsql as 'begin perform 1; return null; end';
      create trigger "${hostile.replaceAll('"', '""')}" after update on public.users
        for each row execute function public.count_it();`);
    const named = await validate(['--report', file, '--detailed'], environment);
    expect(named.code).toBe(0);
    expect(named.stdout).toMatch(/trigger "\ufffd\[2J<\/code>/);
    expect(named.stdout).toMatch(/ on public\.users: calls public\.count_it for each row on update/);
    const page = await readFile(file, 'utf8');
    expectWellFormed(page);
    expect(page).not.toContain('<script');
    for (const text of [named.stdout, page]) {
      expect(text).not.toContain('\u001b');
      expect(text).not.toContain('\u202e');
    }
    expect(page).toContain(
      '&lt;script&gt;alert(&quot;&quot;1&quot;&quot;)&lt;/script&gt;\ufffd&amp;amp;&#39;',
    );

    // Keys can be hostile, too.
    await createTally(db.sql, 'text', ['<b>one</b>', 'two']);
    const tally = await validate(['--plan', 'tally', '--report', file], environment);
    expect([0, 3]).toContain(tally.code);
    expectWellFormed(await readFile(file, 'utf8'));
  });

  test('half-way, cancelled, with failures and half-way back: says what is pending and failed, and what to do, and ends with 3', async () => {
    const { db, environment } = await freshProject({ avatars: 'prepared' });
    const { sql } = db;
    const moved = async () => await value<number>(sql, 'select sum(moved)::int from imago.lane');
    const left = async (text: RegExp) => {
      const { code, json } = await validate(['--json', '--fail-on', 'warning'], environment);
      const { pending, failed, migrated } = await call(sql, 'get_detailed_migration_progress');
      expect(code).toBe(3);
      const result = json();
      expect(result).toMatchObject({ exit_code: 3, progress: { pending, failed, migrated } });
      expect([result.message, ...result.next].join('\n')).toMatch(text);
      return result;
    };
    await sql.unsafe(`do $$ begin execute format(
      'alter table public.users add constraint poison check (id <> %L or active_avatar_id is null)', (select min(id::text) from public.users)); end $$`);
    await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
    while (!(await moved())) await call(sql, 'migrate_batch', { batch_size: 10, max_ms: 1 });
    const pending = 300 - (await moved());
    const halfWay = new RegExp(
      `The migration is half-way: ${pending} users pending, 1 failed\\.\\nNothing is wrong.*Go on: `,
      's',
    );
    expect(await left(halfWay)).toMatchObject({
      phase: 'during',
      status: 'left',
      errors: 0,
      warnings: 0,
      healthy: true,
    });
    // People read the same sentences.
    const text = await validate([], environment);
    expect(text).toMatchObject({ code: 3, stdout: expect.stringMatching(halfWay) });
    const fixing = await validate(['--fix-issues', '--yes', '--json'], environment);
    expect(fixing.code).toBe(1);
    expect(fixing.json().error).toMatchObject({ code: 'IM027' });
    await call(sql, 'pause_migration');
    await left(/The migration is paused half-way: .*--resume/s);
    await call(sql, 'cancel_migration');
    expect(
      await left(
        new RegExp(`was cancelled half-way: ${pending} users pending, 1 failed.*Go on: .*--rollback`, 's'),
      ),
    ).toMatchObject({
      status: 'left',
      next: expect.not.arrayContaining([expect.stringContaining('--retry')]),
    });
    await sql`update imago.setting set value = '50' where name = 'max_sub_batches'`;
    await migrateAll(sql);
    expect(await left(/The migration has ended: 1 user pending, 1 failed.*--retry-failed/s)).toMatchObject({
      phase: 'after',
      status: 'findings',
    });
    await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
    await call(sql, 'rollback_batch');
    await left(/The rollback is half-way: \d+ users to take back, 0 failed.*--rollback/s);
    await call(sql, 'cancel_migration');
    await left(/The rollback was cancelled half-way: \d+ users to take back.*Go on: .*--rollback/s);
    await sql`update imago.setting set value = '50' where name = 'max_sub_batches'`;
    await rollbackAll(sql);
    expect((await validate([], environment)).code).toBe(0);
  });
});

describe('npm run validate after a run', () => {
  test('finds nothing, and each kind of finding: to people, machines, by --fail-on, in a report and on a terminal', async () => {
    const project = await migratedProject();
    const { db, environment, url } = project;
    await call(db.sql, 'rollback_batch', { max_ms: 60_000 });
    await migrateAll(db.sql);

    // --json is one object on stdout with every check, and nothing else.
    const clean = await validate(['--json', '--verbose', '--fail-on', 'warning'], environment);
    expect(clean.code).toBe(0);
    expect(clean.stdout.trim().split('\n')).toHaveLength(1);
    expect(clean.json()).toMatchObject({
      type: 'result',
      action: 'validate',
      plan: 'avatars',
      target: { kind: 'project', url },
      status: 'clean',
      exit_code: 0,
      fail_on: 'warning',
      dry_run: false,
      phase: 'after',
      complete: true,
      healthy: true,
      errors: 0,
      warnings: 0,
      manual: 0,
      fixed: 0,
      retries: 0,
    });
    expect(clean.json().checks.length).toBeGreaterThan(8);
    for (const check of clean.json().checks) {
      expect(check).toMatchObject({
        name: expect.any(String),
        found: 0,
        left: 0,
        partial: false,
        error: null,
      });
      expect(check.meaning).toMatch(/\w/);
      expect(check.remedy).toMatch(/\w/);
    }
    expect(clean.stderr).toMatch(/^validate_migration .* done$/m);

    // A case for a person fails nothing; a warning where that is asked for. Many short calls find the same as one.
    await orphanPost(db.sql);
    const person = await validate(['--json', '--fail-on', 'warning'], environment);
    expect(person.code).toBe(0);
    expect(person.json()).toMatchObject({ status: 'clean', errors: 0, warnings: 0, manual: 1 });
    await orphanAvatar(db.sql);
    const lenient = await validate(['--json', '--max-ms', '60000'], environment);
    expect(lenient.code).toBe(0);
    const one = lenient.json();
    expect(one).toMatchObject({ status: 'clean', errors: 0, warnings: 1, manual: 1, calls: 1 });
    const strict = await validate(['--json', '--fail-on', 'warning', '--max-ms', '1'], environment);
    expect(strict.code).toBe(3);
    const many = strict.json();
    expect(many).toMatchObject({ status: 'findings', errors: 0, warnings: 1, manual: 1 });
    expect(many.calls).toBeGreaterThan(5);
    const found = ({ checks }: typeof one) =>
      checks.map((check: Record<string, unknown>) => [check.name, check.found]);
    expect(found(many)).toEqual(found(one));

    // A table by severity with what to do, and no keys.
    await loseAvatars(db.sql);
    const keys = (await db.sql`select id from public.posts where avatar_id is null`).map(({ id }) => id);
    const { code, stdout, stderr } = await validate([], environment);
    expect(code).toBe(3);
    const line = (name: string) => stdout.split('\n').findIndex((text) => text.includes(` ${name} `));
    expect(stdout).toMatch(/│ error +│ posts_without_avatar +│ +12 │ Fix gives it/);
    expect(stdout).toMatch(/│ warning +│ orphaned_avatars +│ +1 │/);
    expect(stdout).toMatch(/│ manual +│ posts_of_unknown_authors +│ +1 │/);
    expect(line('posts_without_avatar')).toBeLessThan(line('orphaned_avatars'));
    expect(line('orphaned_avatars')).toBeLessThan(line('posts_of_unknown_authors'));
    expect(stdout).toMatch(/Found: 12 errors, \d+ warnings, 1 case for a person\./);
    expect(stdout).toContain('--fix-issues');
    for (const text of [stdout, stderr]) expect(text).not.toContain('xq7');
    expect(keys.filter((key) => stdout.includes(key))).toHaveLength(0);

    // --detailed shows up to ten keys and nothing but keys; --report is a page of all this.
    const file = await reportFile();
    const detailed = await validate(['--detailed', '--report', file], environment);
    expect(detailed.code).toBe(3);
    const [, posts = ''] = detailed.stdout.split('\nposts_without_avatar\n');
    const [paragraph = ''] = posts.split('\n\n');
    expect(paragraph).toContain('A post has no avatar');
    expect(keys.filter((key) => paragraph.includes(key))).toHaveLength(10);
    expect(paragraph).toContain('… and 2 more');
    expect(detailed.stdout).not.toContain('xq7');
    expect(detailed.stdout).toContain(`Report: ${file}`);
    expectReport(await readFile(file, 'utf8'), project);

    // Without --yes and without a terminal a fix is refused before anything is called.
    const validations = await db.sql`select * from imago.validation where run is null`;
    const nobody = await validate(['--fix-issues', '--json'], environment);
    expect(nobody.code).toBe(2);
    expect(nobody.stderr.split('\n')[0]).toBe(`Target: ${url}, plan avatars`);
    expect(nobody.json()).toMatchObject({
      status: 'usage',
      calls: 0,
      error: { hint: expect.stringContaining('--yes') },
    });
    expect(await db.sql`select * from imago.validation where run is null`).toEqual(validations);

    // --dry-run says what fixes would write, and changes nothing.
    const dry = await validate(['--fix-issues', '--dry-run', '--report', file], environment);
    expect(dry.code).toBe(3);
    expect(dry.stdout).toContain('Would fix');
    expect(dry.stdout).toContain('12 (public.posts 12)');
    expect(dry.stdout).toContain('Nothing was changed.');
    expect(await readFile(file, 'utf8')).toMatch(/The fix would correct:<\/strong> 12 \(public.posts 12\)/);
    const result = (await validate(['--dry-run', '--json', '--report', file], environment)).json();
    const check = result.checks.find(({ name }: { name: string }) => name === 'posts_without_avatar');
    expect(result).toMatchObject({ dry_run: true, report: file });
    expect(check).toMatchObject({ would_fix: 12, fixed: 0, written: { 'public.posts': 12 } });
    // The post without an author has none either.
    expect(await lost(db.sql)).toBe(12 + 1);

    // `script` gives the command a terminal; its options are others elsewhere.
    if (process.platform === 'linux') {
      for (const [answer, left, code] of [
        ['no', 12 + 1, 3],
        ['yes', 1, 0],
      ] as const) {
        const asked = await fixOnTerminal(environment, answer);
        expect([answer, asked.code]).toEqual([answer, code]);
        const shown = asked.said.indexOf('12 (public.posts 12)');
        expect(shown).toBeGreaterThan(0);
        expect(shown).toBeLessThan(asked.said.indexOf('[y/N]'));
        expect([answer, await lost(db.sql)]).toEqual([answer, left]);
      }
    }
  });

  test('--fix-issues --yes fixes, through the journal, leaves what only a person can decide, says so, and a rollback takes it back to the byte', async () => {
    const { db, environment } = await migratedProject();
    await loseAvatars(db.sql);
    const before = await checksums(db.sql);
    const finished = await validate(['--fix-issues', '--yes', '--json'], environment);
    expect(finished.code).toBe(0);
    expect(finished.json()).toMatchObject({
      status: 'clean',
      fixed: 12,
      fixes_failed: 0,
      errors: 0,
      healthy: true,
    });
    expect(await lost(db.sql)).toBe(0);
    await call(db.sql, 'rollback_batch', { max_ms: 60_000 });
    expect(await checksums(db.sql)).toEqual(before);

    await migrateAll(db.sql);
    await loseAvatars(db.sql);
    await orphanPost(db.sql);
    const file = await reportFile();
    const { code, stdout } = await validate(['--fix-issues', '--yes', '--report', file], environment);
    expect(code).toBe(0);
    expect(stdout).toContain('12 findings fixed. Still there: 1 case for a person.');
    expect(stdout).toMatch(/posts_of_unknown_authors +│ +1 │ – /);
    expect(await value(db.sql, "select count(*)::int from public.posts where body = 'Sentence xq7'")).toBe(1);
    const html = await readFile(file, 'utf8');
    expectWellFormed(html);
    expect(html).toMatch(/Fixed:<\/strong> 12 \(public.posts 12\)/);
    expect(html).toContain('12 findings fixed');
  });
});

/** Asks for a fix on a terminal, and answers. */
const fixOnTerminal = (environment: Record<string, string>, answer: string) =>
  answerOnTerminal(['scripts/validate.ts', '--fix-issues'], environment, answer);

describe('npm run validate, held up', () => {
  async function throughProxy(project: Project) {
    const proxy = await startProxy(project.url);
    onTestFinished(() => proxy.close());
    return { proxy, environment: { ...project.environment, SUPABASE_URL: proxy.url } };
  }

  test('waits for who holds the validation, is interrupted, gets through lost replies, and names what cannot be done', async () => {
    const project = await migratedProject();
    const { sql } = project.db;
    const { proxy, environment } = await throughProxy(project);
    await call(sql, 'validate_migration', { max_ms: 1 });
    const running = await project.db.connect().begin(async (tx) => {
      await tx`select from imago.validation for update`;
      const started = startCommand(['--json', '--verbose'], environment, script);
      await proxy.passed('validate_migration', 2);
      return started;
    });
    const waited = await running.finished;
    expect(waited.code).toBe(0);
    expect(waited.stderr).toContain(' busy');
    expect(waited.json()).toMatchObject({ status: 'clean', complete: true });

    // At Ctrl-C it lets the running call end, shows what is known, ends with 130; the next time completes it.
    await loseAvatars(sql);
    proxy.decide = () => 'slow';
    const file = await reportFile();
    const before = proxy.log.length;
    const slow = startCommand(['--max-ms', '1', '--report', file], environment, script);
    await until('it is at work', async () => {
      const calls = proxy.log.slice(before).filter(({ name }) => name === 'validate_migration');
      return calls.length >= 3;
    });
    slow.child.kill('SIGINT');
    const { code, stdout, stderr } = await slow.finished;
    expect(code).toBe(130);
    expect(stderr).toContain('Stopping');
    expect(stdout).toContain('Stopped. What is shown is only a part.');
    expect(stdout).toMatch(/\d+ of 15 checks/);
    expect(await readdir(path.dirname(file))).toEqual([]);
    const again = await validate(['--json'], project.environment);
    expect(again.json()).toMatchObject({ status: 'findings', complete: true, errors: 12 });

    // It asks again for replies that are lost on the way.
    proxy.decide = (name) => (name === 'validate_migration' && proxy.lost < 2 ? 'lose-reply' : 'none');
    const finished = await validate(['--fix-issues', '--yes', '--json'], environment);
    expect(finished.code).toBe(0);
    expect(finished.json().lost_replies).toBe(2);
    expect(await lost(sql)).toBe(0);

    // It names a check that cannot be done, and ends with 1.
    await sql`create or replace function avatars.rows_without_avatar(relation text, owner_column text)
      returns text language sql stable as $$ select 'select nonsense as key, null::uuid as entity from public.posts' $$`;
    const broken = await validate([], project.environment);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toContain('could not be done');
    expect(broken.stdout).toMatch(/posts_without_avatar: IM\d{3}: /);
  });

  test('without a server ends with 1, with an unknown plan with 2, without the tables that the plan needs with 3', async () => {
    const nowhere = await validate([], {
      SUPABASE_URL: 'http://127.0.0.1:9',
      SUPABASE_SECRET_KEY: 'sb_secret_a',
    });
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toContain('The connection was lost or could not be made');

    const { environment } = await freshProject({ app: 'none' });
    const unknown = await validate(['--plan', 'nonsense', '--json'], environment);
    expect(unknown.code).toBe(2);
    expect(unknown.json().error).toMatchObject({ code: 'IM001' });

    // The app has not the tables that the plan needs.
    const bare = await validate([], environment);
    expect(bare.code).toBe(3);
    expect(bare.stdout).toMatch(/error +│ requirements/);
    expect(bare.stdout).toContain('users');
  });
});

/** Names of elements that are never closed. */
const voids = new Set(['!doctype', 'meta', 'br']);

/** Throws unless each element is closed by its own end tag; `path` and the like may close themselves. */
function expectWellFormed(html: string): void {
  const open: string[] = [];
  const text = html.replaceAll(/<style>[\s\S]*?<\/style>/g, '');
  for (const [tag, end, name = ''] of text.matchAll(
    /<(\/?)([!a-zA-Z][\w-]*)(?:\s+[\w:-]+(?:="[^"<]*")?|\s+html)*\s*\/?>/g,
  )) {
    if (voids.has(name.toLowerCase()) || tag.endsWith('/>')) continue;
    if (end) expect(`</${open.pop()}>`).toBe(`</${name}>`);
    else open.push(name);
  }
  expect(open).toEqual([]);
  // Whatever looks like a tag was read as one above.
  expect(text.match(/</g)?.length).toBe(
    text.match(/<(\/?)([!a-zA-Z][\w-]*)(?:\s+[\w:-]+(?:="[^"<]*")?|\s+html)*\s*\/?>/g)?.length,
  );
}

/** One self-contained page with findings and pictures of the runs, and no secrets. */
function expectReport(html: string, { url, environment }: Project): void {
  expectWellFormed(html);
  expect(html).toMatch(/^<!doctype html>\n<html lang="en">/);
  expect(html).toContain(new URL(url).host);
  expect(html).toContain('after the migration');
  expect(html).toContain('posts_without_avatar');
  expect(html).toContain('A post has no avatar although its author has one');
  expect(html).toContain('12 found');
  for (const run of [1, 2, 3]) {
    expect(html).toContain(`<title id="run-${run}-title">`);
    expect(html).toMatch(new RegExp(`Run ${run} succeeded: it (moved|took back) 300 users`));
  }
  expect(html).toContain('Users a minute');

  expect(html).not.toMatch(/<script|<link|<img|<iframe|@import|https?:|\bsrc=|\bhref=|\bon\w+=|url\((?!#)/i);
  // The style of the dashboard, as it is: no other would be let in.
  const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(html) ?? [];
  const hash = createHash('sha256').update(style).digest('base64');
  expect(html).toContain(`default-src &#39;none&#39;; style-src &#39;sha256-${hash}&#39;`);
  expect(style).toContain('.card.warning');
  expect(html).toContain('role="progressbar" aria-label="Migrated"');
  expect(html).toMatch(/Fix what can be fixed: .*--fix-issues/);
  for (const secret of ['xq7', ...Object.values(environment).filter((text) => text !== url)]) {
    expect(html).not.toContain(secret);
  }
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, labels = ''] of html.matchAll(/aria-labelledby="([^"]+)"/g)) {
    for (const label of labels.split(' ')) expect(ids).toContain(label);
  }
  expect(html.match(/<svg class="picture"/g)).toHaveLength(3);
  expect(html.match(/role="img"/g)).toHaveLength(3);
}

describe('options of npm run validate', () => {
  const options = (...argv: string[]) => parseOptions(argv, 'npm run validate');

  test('without any: check, and fail on errors', () => {
    expect(options()).toEqual({
      plan: 'avatars',
      detailed: false,
      fixIssues: false,
      dryRun: false,
      failOn: 'error',
      maxMs: 2000,
      json: false,
      yes: false,
      verbose: false,
    });
  });

  test.each([
    [['--nonsense'], 'unknown option'],
    [['extra'], 'too many arguments'],
    [['--fail-on', 'manual'], 'error, warning'],
    [['--plan', 'No Plan'], 'the name of a plan'],
    [['--max-ms', '0'], 'from 1 to 600,000'],
    [['--report', 'README.md'], 'must end in .html'],
    [['--report', '/nowhere/at/all.html'], 'no folder'],
  ])('%j is refused: %s', (argv, says) => {
    expect(() => options(...argv)).toThrow(UsageError);
    expect(() => options(...argv)).toThrow(says);
  });

  test('imago validate --help shows options, examples and exit codes on stdout', async () => {
    const { code, stdout, stderr } = await runCommand(
      ['validate', '--help'],
      {},
      { script: 'scripts/imago.ts' },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const text of [
      '--detailed',
      '--fix-issues',
      '--fail-on',
      '--report',
      'Examples:',
      'Exit codes: 0 clean',
      'Usage: imago validate',
    ]) {
      expect(stdout).toContain(text);
    }
    const wrong = await validate(['--json', '--fail-on', 'never']);
    expect(wrong.code).toBe(2);
    expect(wrong.json()).toMatchObject({ type: 'result', status: 'usage', exit_code: 2 });
  });
});

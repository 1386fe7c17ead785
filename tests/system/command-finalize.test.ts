/** `npm run migrate -- --finalize` and `--cleanup`, as people and scripts use them. */
import type { Sql } from 'postgres';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { parseOptions } from '../../scripts/migrate/options.ts';
import { call, value } from '../support/call.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { madeOnce } from '../support/database.ts';
import { addSteps, itemsPlan, type Step } from '../support/finalize.ts';
import { migrateAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';
import { until } from '../support/until.ts';

const migrated = madeOnce(async (sql) => await itemsPlan(sql));

/** The plan trial with these steps, migrated. */
async function trialProject(steps: Step[]): Promise<Project> {
  const project = await freshProject({ app: 'none', template: await migrated() });
  await addSteps(project.db.sql, steps);
  return project;
}

const phase = async ({ db }: Project, of = 'avatars'): Promise<string> =>
  (await call(db.sql, 'get_detailed_migration_progress', { plan: of })).phase;

const trial = ['--finalize', '--plan', PLAN, '--json'];

const concurrently = 'create index concurrently if not exists items_fresh_idx on public.items (fresh)';
const index: Step = {
  name: 'index on fresh',
  returns: 'boolean',
  body: "return exists (select from pg_index where indexrelid = to_regclass('public.items_fresh_idx') and indisvalid);",
  statement: concurrently,
};
const drop: Step = {
  name: 'drop the old column',
  body: 'drop view trial.pending; alter table public.items drop column old;',
};

test('npm run migrate -- --finalize and --cleanup: say what they would do, what stands in the way, and do it', async () => {
  const project = await freshProject({ users: 60, avatars: 'migrated' });
  const { db, environment } = project;
  const { sql } = db;

  // With --dry-run it shows the steps and changes nothing.
  const dry = await runCommand(['--finalize', '--dry-run'], environment);
  expect(dry.code).toBe(0);
  expect(dry.stderr).toContain('  1. checks\n');
  expect(dry.stderr).toContain('alter table public.posts validate constraint posts_avatar_id_fkey');
  expect(dry.stderr).toContain('  6. triggers of Imago, and from here on nothing can be rolled back');
  expect(dry.stdout).toContain('Nothing was changed.');
  expect(await phase(project)).toBe('validate');

  // It is refused without --yes where nobody can be asked, before anything is called.
  for (const action of ['--finalize', '--cleanup']) {
    const nobody = await runCommand([action, '--json'], {
      ...environment,
      SUPABASE_URL: 'http://127.0.0.1:9',
    });
    expect([action, nobody.code]).toEqual([action, 2]);
    expect(nobody.json().error.hint).toContain('--yes');
  }

  // It says by name what stands in the way, and ends with 3.
  const [user] = await sql<{ id: string }[]>`select id from users order by id limit 1`;
  await call(sql, 'rollback_user_migration', { user_id: user?.id });
  const held = await runCommand(['--finalize', '--yes', '--json'], environment);
  expect(held.code).toBe(3);
  expect(held.json().message).toContain(`1 user held (${user?.id})`);
  await call(sql, 'migrate_user_to_avatar_centric', { user_id: user?.id });
  await migrateAll(sql);
  const [post] = await sql<{ id: string; avatar_id: string }[]>`
    select id, avatar_id from posts order by id limit 1`;
  await sql`
    update posts p set avatar_id = (select active_avatar_id from users u where u.id <> p.user_id limit 1)
    where id = ${post?.id ?? ''}`;
  const failing = await runCommand(['--finalize', '--yes', '--json'], environment);
  expect(failing.code).toBe(3);
  expect(failing.json().error).toMatchObject({ code: 'IM038' });
  expect(failing.json().error.message).toContain('check posts_with_wrong_avatar finds 1');
  expect(await phase(project)).toBe('validate');
  await sql`update posts set avatar_id = ${post?.avatar_id ?? ''} where id = ${post?.id ?? ''}`;
  const open = await runCommand(['--cleanup', '--yes', '--json'], environment);
  expect([open.code, open.json().error.code]).toEqual([3, 'IM040']);

  // It goes through its steps; afterwards a rollback is refused and there is nothing to migrate.
  const ended = await runCommand(['--finalize', '--yes'], environment);
  expect(ended.code).toBe(0);
  expect(ended.stderr).toContain(`Target: ${project.url}`);
  expect(ended.stderr).toContain('Done: 1 of 6, checks');
  expect(ended.stderr).toContain('Done: 6 of 6, triggers of Imago');
  expect(ended.stdout).toContain('is finalized.');
  expect(ended.stdout).toContain('--cleanup');
  expect(await phase(project)).toBe('finalized');
  const again = await runCommand(['--finalize', '--yes', '--json'], environment);
  expect(again.code).toBe(0);
  expect(again.json()).toMatchObject({
    action: 'finalize',
    status: 'done',
    finalize: { state: 'finalized' },
  });
  const back = await runCommand(['--rollback', '--yes', '--json'], environment);
  expect(back.code).toBe(1);
  expect(back.json().error).toMatchObject({ code: 'IM039' });
  const forth = await runCommand(['--yes', '--json'], environment);
  expect(forth.code).toBe(0);
  expect(forth.json().message).toContain('nothing to migrate any more');
  const stats = await runCommand(['--stats-only'], environment);
  expect(stats.stdout).toContain('finalized');
  expect(stats.stdout).toContain('--cleanup');

  // A clean-up that is too early names the day and ends with 3; later it says what it frees, and frees it.
  const early = await runCommand(['--cleanup', '--yes', '--json'], environment);
  expect(early.code).toBe(3);
  expect(early.json().error.message).toMatch(
    /its verification period ends on \d{4}-\d\d-\d\d at \d\d:\d\d \(UTC\)/,
  );
  const cleanup = ['--cleanup', '--older-than', '0 days'];
  const preview = await runCommand([...cleanup, '--dry-run', '--json'], environment);
  expect(preview.code).toBe(0);
  const would = preview.json().cleanup.bytes_freed;
  expect(would).toBeGreaterThan(0);
  expect(await phase(project)).toBe('finalized');
  const cleaned = await runCommand([...cleanup, '--yes', '--json'], environment);
  expect(cleaned.code).toBe(0);
  expect(cleaned.json()).toMatchObject({ status: 'done', cleanup: { undo_tables: 4, bytes_freed: would } });
  expect(cleaned.json().message).toMatch(/^Cleaned up: 4 undo tables, .+ in all\.$/);
  expect(await phase(project)).toBe('cleaned up');
  expect((await runCommand([...cleanup, '--yes'], environment)).code).toBe(0);
});

describe('npm run migrate -- --finalize', () => {
  test('a step that would lose data wants --allow-data-loss; one that fails ends it with 1, naming it, and a later call goes on there', async () => {
    const project = await trialProject([
      {
        name: 'nothing is lost',
        body: "perform imago.refuse_data_loss('trial', '3 items');",
        reversible: true,
      },
      { name: 'a key', body: 'alter table public.items add check (length(fresh) < 8);' },
      drop,
    ]);
    const refused = await runCommand([...trial, '--yes'], project.environment);
    expect([refused.code, refused.json().error.code]).toEqual([3, 'IM043']);
    expect(refused.json().next.join()).toContain('--allow-data-loss');
    const failed = await runCommand([...trial, '--yes', '--allow-data-loss'], project.environment);
    expect(failed.code).toBe(1);
    expect(failed.json().error).toMatchObject({
      code: 'IM041',
      message: expect.stringContaining('step a key of plan trial'),
    });
    await project.db.sql`update items set fresh = 'short', old = 'short'`;
    const accepted = await runCommand([...trial, '--yes', '--allow-data-loss'], project.environment);
    expect([accepted.code, await phase(project, PLAN)]).toEqual([0, 'finalized']);
  });

  test('does direct steps over DATABASE_URL only: without, it ends with 3 and the statement; a build that is interrupted begins again', async () => {
    const project = await trialProject([index, drop]);
    const { sql } = project.db;
    const isValid = () =>
      value(sql, "select indisvalid from pg_index where indexrelid = 'items_fresh_idx'::regclass");
    const { DATABASE_URL: _, ...environment } = project.environment;
    const refused = await runCommand([...trial, '--yes'], environment);
    expect(refused.code).toBe(3);
    expect(refused.json().error).toMatchObject({
      code: 'IM042',
      hint: expect.stringContaining(concurrently),
    });
    expect(refused.json().next[0]).toContain('DATABASE_URL');
    expect(await phase(project, PLAN)).toBe('finalize');
    // Nothing is closed: all could be taken back.
    const undone = new Error('not now');
    const back = sql.begin(async (tx) => {
      expect((await call(tx as unknown as Sql, 'rollback_batch', { plan: PLAN })).rolled_back).toBe(40);
      throw undone;
    });
    await expect(back).rejects.toBe(undone);

    const other = project.db.connect();
    await other`begin`;
    await other`update items set fresh = fresh where id = 1`;
    const first = startCommand([...trial, '--yes'], project.environment);
    const building = async () =>
      (await sql`select from pg_stat_activity where query like 'create index%' and wait_event_type = 'Lock'`)
        .length > 0;
    await until('the build waits', building);
    first.child.kill('SIGINT');
    const interrupted = await first.finished;
    expect(interrupted.code).toBe(130);
    expect(interrupted.json().status).toBe('interrupted');
    expect(await isValid()).toBe(false);
    await other`commit`;

    const ended = await runCommand([...trial, '--yes'], project.environment);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain(`Running outside a transaction: ${concurrently}`);
    expect(ended.stderr).toContain('public.items_fresh_idx is invalid');
    expect(await isValid()).toBe(true);
  });

  test('run by two commands at once builds an index once', async () => {
    const project = await trialProject([index, drop]);
    const ended = await Promise.all([1, 2].map(() => runCommand([...trial, '--yes'], project.environment)));
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    const lines = await project.db
      .sql`select detail ->> 'step' as step from public.migration_log where event = 'finalize'`;
    expect(lines.filter(({ step }) => step === index.name)).toHaveLength(1);
  });

  test('with a statement that cannot succeed ends with 1, and tells nothing of the rows', async () => {
    const project = await trialProject([
      { ...index, statement: concurrently.replace('index', 'unique index') },
    ]);
    await project.db.sql`update items set fresh = 'secret twin', old = 'secret twin' where id < 3`;
    const ended = await runCommand([...trial, '--yes'], project.environment);
    expect([ended.code, ended.json().error.code]).toEqual([1, '23505']);
    expect(ended.stdout + ended.stderr).not.toContain('secret twin');
  });

  test('killed while it waits for a lock that somebody holds, it waits again when called again, and does the rest', async () => {
    const project = await trialProject([{ name: 'first', body: 'null;', reversible: true }, drop]);
    const other = project.db.connect();
    await other`begin`;
    await other`select count(*) from items`;
    const killed = startCommand([...trial, '--yes'], project.environment);
    await killed.says('Waiting for a lock');
    killed.child.kill('SIGKILL');
    await killed.finished;
    expect(await phase(project, PLAN)).toBe('finalize');
    const running = startCommand([...trial, '--yes'], project.environment);
    await running.says('Waiting for a lock');
    await other`commit`;
    expect((await running.finished).code).toBe(0);
    expect(await phase(project, PLAN)).toBe('finalized');
  });

  test('does a step that is too long for a call of the API over DATABASE_URL; --cleanup names what its steps keep', async () => {
    const project = await trialProject([
      {
        name: 'long',
        body: "if current_setting('statement_timeout') <> '0' then perform pg_sleep(30); end if;",
      },
      {
        name: 'kept',
        phase: 'cleanup',
        returns: 'jsonb',
        body: `return '{"warnings": ["public.items.old holds values: it stays"]}'::jsonb;`,
      },
    ]);
    const long = await runCommand([...trial, '--yes'], project.environment);
    expect(long.stderr).toContain('over DATABASE_URL instead');
    expect([long.code, await phase(project, PLAN)]).toEqual([0, 'finalized']);
    const ended = await runCommand(
      ['--cleanup', '--plan', PLAN, '--older-than', '0 days', '--yes', '--json'],
      project.environment,
    );
    expect(ended.json()).toMatchObject({
      exit_code: 0,
      warnings: ['public.items.old holds values: it stays'],
    });
  });
});

describe('options of --finalize and --cleanup', () => {
  const options = (...argv: string[]) => parseOptions(argv, 'npm run migrate');

  test('are read together with their values', () => {
    expect(options('--finalize', '--allow-data-loss', '--dry-run')).toMatchObject({
      action: 'finalize',
      allowDataLoss: true,
      preview: true,
    });
    expect(options('--cleanup', '--older-than', '90 days')).toMatchObject({
      action: 'cleanup',
      olderThan: '90 days',
    });
  });

  test.each([
    [['--finalize', '--cleanup'], 'exclude each other'],
    [['--finalize', '--rollback'], 'exclude each other'],
    [['--finalize', '--older-than', '1 day'], 'cannot be combined'],
    [['--cleanup', '--allow-data-loss'], 'cannot be combined'],
    [['--allow-data-loss'], 'cannot be used here'],
    [['--finalize', '--dry-run=full'], 'takes no mode'],
    [['--cleanup', '--older-than', 'a while'], 'a period'],
    [['--cleanup', '--older-than', '-3 days'], 'a period'],
    [['--finalize', '--via-function'], 'cannot be combined'],
  ])('%j is refused: %s', (argv, says) => {
    expect(() => options(...argv)).toThrow(UsageError);
    expect(() => options(...argv)).toThrow(says);
  });
});

/** `npm run migrate -- --finalize` and `--cleanup`, as people and scripts use them. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../scripts/command/usage.ts';
import { parseOptions } from '../../scripts/migrate/options.ts';
import { call, value } from '../support/call.ts';
import { freshProject, type Project, runCommand, startCommand } from '../support/command.ts';
import { addSteps, itemsPlan, type Step } from '../support/finalize.ts';
import { migrateAll } from '../support/imago.ts';
import { PLAN } from '../support/plan.ts';
import { until } from '../support/until.ts';

/** The sample app, migrated. */
async function migratedProject(): Promise<Project> {
  const project = await freshProject({ users: 40 });
  await migrateAll(project.db.sql);
  return project;
}

/** The plan trial with these steps, migrated. */
async function trialProject(steps: Step[]): Promise<Project> {
  const project = await freshProject({ app: 'none' });
  await itemsPlan(project.db.sql, steps);
  return project;
}

const phase = async ({ db }: Project, plan = 'avatars'): Promise<string> =>
  (await call(db.sql, 'get_detailed_migration_progress', { plan })).phase;

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

describe('npm run migrate -- --finalize', () => {
  test('with --dry-run shows the steps and changes nothing', async () => {
    const project = await migratedProject();
    const ended = await runCommand(['--finalize', '--dry-run'], project.environment);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain('  1. checks\n');
    expect(ended.stderr).toContain('alter table public.posts validate constraint posts_avatar_id_fkey');
    expect(ended.stderr).toContain('  6. triggers of Imago, and from here on nothing can be rolled back');
    expect(ended.stdout).toContain('Nothing was changed.');
    expect(await phase(project)).toBe('validate');
  });

  test('goes through its steps; afterwards a rollback is refused and there is nothing to migrate', async () => {
    const project = await migratedProject();
    const ended = await runCommand(['--finalize', '--yes'], project.environment);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain(`Target: ${project.url}`);
    expect(ended.stderr).toContain('Done: 1 of 6, checks');
    expect(ended.stderr).toContain('Done: 6 of 6, triggers of Imago');
    expect(ended.stdout).toContain('is finalized.');
    expect(ended.stdout).toContain('--cleanup');
    expect(await phase(project)).toBe('finalized');

    const again = await runCommand(['--finalize', '--yes', '--json'], project.environment);
    expect(again.code).toBe(0);
    expect(again.json()).toMatchObject({
      action: 'finalize',
      status: 'done',
      finalize: { state: 'finalized' },
    });
    const back = await runCommand(['--rollback', '--yes', '--json'], project.environment);
    expect(back.code).toBe(1);
    expect(back.json().error).toMatchObject({ code: 'IM039' });
    const forth = await runCommand(['--yes', '--json'], project.environment);
    expect(forth.code).toBe(0);
    expect(forth.json().message).toContain('nothing to migrate any more');
    const stats = await runCommand(['--stats-only'], project.environment);
    expect(stats.stdout).toContain('finalized');
    expect(stats.stdout).toContain('--cleanup');
  });

  test('is refused without --yes where nobody can be asked, before anything is called', async () => {
    const project = await migratedProject();
    for (const action of ['--finalize', '--cleanup']) {
      const ended = await runCommand([action, '--json'], {
        ...project.environment,
        SUPABASE_URL: 'http://127.0.0.1:9',
      });
      expect(ended.code).toBe(2);
      expect(ended.json().error.hint).toContain('--yes');
    }
    expect(await phase(project)).toBe('validate');
  });

  test('says by name what stands in the way, and ends with 3', async () => {
    const project = await migratedProject();
    const [user] = await project.db.sql<{ id: string }[]>`select id from users order by id limit 1`;
    await call(project.db.sql, 'rollback_user_migration', { user_id: user?.id });
    const held = await runCommand(['--finalize', '--yes', '--json'], project.environment);
    expect(held.code).toBe(3);
    expect(held.json().message).toContain(`1 user held (${user?.id})`);

    await call(project.db.sql, 'migrate_user_to_avatar_centric', { user_id: user?.id });
    await migrateAll(project.db.sql);
    await project.db.sql`
      update posts p set avatar_id = (select active_avatar_id from users u where u.id <> p.user_id limit 1)
      where id = (select id from posts order by id limit 1)`;
    const failing = await runCommand(['--finalize', '--yes', '--json'], project.environment);
    expect(failing.code).toBe(3);
    expect(failing.json().error).toMatchObject({ code: 'IM038' });
    expect(failing.json().error.message).toContain('check posts_with_wrong_avatar finds 1');
    expect(await phase(project)).toBe('validate');
  });

  test('a step that would lose data wants --allow-data-loss', async () => {
    const project = await trialProject([
      {
        name: 'nothing is lost',
        body: "perform imago.refuse_data_loss('trial', '3 items');",
        reversible: true,
      },
      drop,
    ]);
    const refused = await runCommand([...trial, '--yes'], project.environment);
    expect([refused.code, refused.json().error.code]).toEqual([3, 'IM043']);
    expect(refused.json().next.join()).toContain('--allow-data-loss');
    const accepted = await runCommand([...trial, '--yes', '--allow-data-loss'], project.environment);
    expect([accepted.code, await phase(project, PLAN)]).toEqual([0, 'finalized']);
  });

  test('a step that fails ends it with 1, naming it, and a later call goes on there', async () => {
    const project = await trialProject([
      { name: 'a key', body: 'alter table public.items add check (length(fresh) < 8);' },
    ]);
    const failed = await runCommand([...trial, '--yes'], project.environment);
    expect(failed.code).toBe(1);
    expect(failed.json().error).toMatchObject({
      code: 'IM041',
      message: expect.stringContaining('step a key of plan trial'),
    });
    await project.db.sql`update items set fresh = 'short', old = 'short'`;
    expect((await runCommand([...trial, '--yes'], project.environment)).code).toBe(0);
  });
});

describe('npm run migrate -- --finalize with direct steps', () => {
  test('runs them over DATABASE_URL; builds an invalid index that an interruption left again', async () => {
    const project = await trialProject([index, drop]);
    const { sql } = project.db;
    // A build that finds two equal values fails at its end and leaves the index behind.
    await sql`update items set fresh = 'same', old = 'same' where id < 3`;
    await expect(
      sql.unsafe('create unique index concurrently items_fresh_idx on public.items (fresh)'),
    ).rejects.toThrow();
    expect(
      await value(sql, "select indisvalid from pg_index where indexrelid = 'items_fresh_idx'::regclass"),
    ).toBe(false);
    const ended = await runCommand([...trial, '--yes'], project.environment);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain(`Running outside a transaction: ${concurrently}`);
    expect(ended.stderr).toContain('public.items_fresh_idx is invalid');
    expect(
      await value(
        sql,
        "select indisvalid and not indisunique from pg_index where indexrelid = 'items_fresh_idx'::regclass",
      ),
    ).toBe(true);
  });

  test('without DATABASE_URL ends with 3 and the statement; nothing is closed', async () => {
    const project = await trialProject([index, drop]);
    const { DATABASE_URL: _, ...environment } = project.environment;
    const ended = await runCommand([...trial, '--yes'], environment);
    expect(ended.code).toBe(3);
    expect(ended.json().error).toMatchObject({ code: 'IM042', hint: expect.stringContaining(concurrently) });
    expect(ended.json().next[0]).toContain('DATABASE_URL');
    expect(await phase(project, PLAN)).toBe('finalize');
    await call(project.db.sql, 'rollback_batch', { plan: PLAN });
  });

  test('whose build is interrupted begin again with the next call', async () => {
    const project = await trialProject([index]);
    const { sql } = project.db;
    const other = project.db.connect();
    await other`begin`;
    await other`update items set fresh = fresh where id = 1`;
    const first = startCommand([...trial, '--yes'], project.environment);
    const building = async () =>
      (await sql`select from pg_stat_activity where query like 'create index%' and wait_event_type = 'Lock'`)
        .length > 0;
    await until('the build waits', building);
    first.child.kill('SIGINT');
    const ended = await first.finished;
    expect(ended.code).toBe(130);
    expect(ended.json().status).toBe('interrupted');
    expect(
      await value(sql, "select indisvalid from pg_index where indexrelid = 'items_fresh_idx'::regclass"),
    ).toBe(false);
    await other`commit`;
    expect((await runCommand([...trial, '--yes'], project.environment)).code).toBe(0);
    expect(
      await value(sql, "select indisvalid from pg_index where indexrelid = 'items_fresh_idx'::regclass"),
    ).toBe(true);
  });

  test('run by two commands at once build the index once', async () => {
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
});

describe('npm run migrate -- --finalize, held up or killed', () => {
  test('waits for a lock that somebody holds, and goes on', async () => {
    const project = await trialProject([drop]);
    const other = project.db.connect();
    await other`begin`;
    await other`select count(*) from items`;
    const running = startCommand([...trial, '--yes'], project.environment);
    await running.says('Waiting for a lock');
    await other`commit`;
    expect((await running.finished).code).toBe(0);
    expect(await phase(project, PLAN)).toBe('finalized');
  });

  test('killed in the middle, does the rest when called again', async () => {
    const project = await trialProject([{ name: 'first', body: 'null;', reversible: true }, drop]);
    const other = project.db.connect();
    await other`begin`;
    await other`select count(*) from items`;
    const running = startCommand([...trial, '--yes'], project.environment);
    await running.says('Waiting for a lock');
    running.child.kill('SIGKILL');
    await running.finished;
    expect(await phase(project, PLAN)).toBe('finalize');
    await other`commit`;
    expect((await runCommand([...trial, '--yes'], project.environment)).code).toBe(0);
  });

  test('does a step that is too long for a call of the API over DATABASE_URL', async () => {
    const project = await trialProject([
      {
        name: 'long',
        body: "if current_setting('statement_timeout') <> '0' then perform pg_sleep(30); end if;",
      },
    ]);
    const ended = await runCommand([...trial, '--yes'], project.environment);
    expect(ended.stderr).toContain('over DATABASE_URL instead');
    expect([ended.code, await phase(project, PLAN)]).toEqual([0, 'finalized']);
  });
});

describe('npm run migrate -- --cleanup', () => {
  test('too early names the day and ends with 3; later says what it frees, and frees it', async () => {
    const project = await migratedProject();
    const open = await runCommand(['--cleanup', '--yes', '--json'], project.environment);
    expect([open.code, open.json().error.code]).toEqual([3, 'IM040']);
    await runCommand(['--finalize', '--yes'], project.environment);
    const early = await runCommand(['--cleanup', '--yes', '--json'], project.environment);
    expect(early.code).toBe(3);
    expect(early.json().error.message).toMatch(
      /its verification period ends on \d{4}-\d\d-\d\d at \d\d:\d\d \(UTC\)/,
    );

    const preview = await runCommand(
      ['--cleanup', '--older-than', '0 days', '--dry-run', '--json'],
      project.environment,
    );
    expect(preview.code).toBe(0);
    const would = preview.json().cleanup.bytes_freed;
    expect(would).toBeGreaterThan(0);
    expect(await phase(project)).toBe('finalized');

    const ended = await runCommand(
      ['--cleanup', '--older-than', '0 days', '--yes', '--json'],
      project.environment,
    );
    expect(ended.code).toBe(0);
    expect(ended.json()).toMatchObject({ status: 'done', cleanup: { undo_tables: 4, bytes_freed: would } });
    expect(ended.json().message).toMatch(/^Cleaned up: 4 undo tables, .+ in all\.$/);
    expect(await phase(project)).toBe('cleaned up');
    const again = await runCommand(['--cleanup', '--older-than', '0 days', '--yes'], project.environment);
    expect(again.code).toBe(0);
  });

  test('names what its steps keep', async () => {
    const project = await trialProject([]);
    await addSteps(project.db.sql, [
      {
        name: 'kept',
        phase: 'cleanup',
        returns: 'jsonb',
        body: `return '{"warnings": ["public.items.old holds values: it stays"]}'::jsonb;`,
      },
    ]);
    await runCommand([...trial, '--yes'], project.environment);
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

import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { type Answer, call, refusal, value } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import { finalize } from '../support/conformance/steps.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll } from '../support/imago.ts';
import { createTally } from '../support/tally.ts';

/** What a caller is told: an error of the call, or the error in its answer. */
interface Told {
  code: string;
  message: string;
  hint?: string | null | undefined;
  detail?: string | undefined;
}

const databases: TestDatabase[] = [];

/** A database with the sample app, prepared unless told otherwise. */
async function database(
  users = 10,
  avatars: 'none' | 'prepared' | 'migrated' = 'prepared',
): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users, ...(avatars !== 'none' && { avatars }) });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const anyUser = (db: TestDatabase) =>
  value<string>(db.sql, 'select id from public.users order by id limit 1');
const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Makes the move of every user fail. */
async function poison(db: TestDatabase, errcode = 'P0001'): Promise<void> {
  await db.sql.unsafe(`
    create function public.refuse() returns trigger language plpgsql as $$
      begin raise exception using errcode = '${errcode}', message = 'not this user'; end $$;
    create trigger refuse before insert on public.avatars for each row execute function public.refuse();`);
}

/** The error in the last answer of calls that end in a failed run. */
async function failed(db: TestDatabase, args: Record<string, unknown> = {}): Promise<Told> {
  let answer: Answer;
  do {
    answer = await call(db.sql, 'migrate_batch', args);
  } while (answer.has_more && answer.status !== 'failed');
  return answer.error;
}

/** How to get an error: what has to be there, then the calls that all end in it. */
interface Case {
  /** What the test is called: the condition under which it is raised. */
  when: string;
  users?: number;
  /** How far the plan is; prepared unless told otherwise. */
  avatars?: 'none' | 'migrated';
  before?: (db: TestDatabase) => Promise<unknown>;
  calls?: [name: string, args?: Record<string, unknown>][];
  /** Instead of calls: other ways to be told. */
  told?: ((db: TestDatabase) => Promise<Told>)[];
}

/** Functions that take a plan. */
const OF_A_PLAN = [
  'migrate_batch',
  'dry_run_migration',
  'get_migration_statistics',
  'rollback_batch',
  'rollback_all_migrations',
  'get_detailed_migration_progress',
  'get_migration_performance_stats',
  'prepare_migration',
  'pause_migration',
  'resume_migration',
  'cancel_migration',
  'retry_failed_migrations',
  'validate_migration',
  'get_run_history',
  'get_migration_failures',
];

const canary = async (db: TestDatabase) =>
  await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) }));
const oneUserOfTen = (db: TestDatabase) => call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 1 });

/** A migrated app in which a follow points to the avatar of the follower. */
async function wrongFollow(db: TestDatabase): Promise<void> {
  await db.sql`
    update public.follows f set avatar_id = (select active_avatar_id from public.users u where u.id = f.follower_id)
    where f.id = (select id from public.follows order by id limit 1)`;
}

/** The error that a whole validation tells of the check on wrong follows. */
function checkError(
  args: Record<string, unknown>,
  statementTimeout = 0,
): (db: TestDatabase) => Promise<Told> {
  return async (db) => {
    const client = db.connect();
    await client.unsafe(`set statement_timeout = ${statementTimeout}`);
    let answer: Answer;
    do {
      answer = await call(client, 'validate_migration', args);
    } while (answer.has_more);
    return answer.checks.find(({ name }: Answer) => name === 'follows_with_wrong_avatar').error;
  };
}

/** For each code of imago.error, the ways to get it. */
const CASES: Record<string, Case> = {
  IM001: {
    when: 'a plan that does not exist',
    avatars: 'none',
    calls: OF_A_PLAN.map((name) => [name, { plan: 'avatarz' }]),
  },
  IM002: {
    when: 'a batch size out of bounds',
    avatars: 'none',
    calls: [0, -1, 10_001].flatMap((batch_size) => [
      ['migrate_batch', { batch_size }],
      ['migrate_users_batch', { batch_size }],
      ['dry_run_migration', { batch_size }],
    ]),
  },
  IM003: {
    when: 'a negative offset',
    avatars: 'none',
    calls: [['migrate_users_batch', { batch_size: 1, batch_offset: -1 }]],
  },
  IM004: {
    when: 'an argument that is null',
    before: (db) => call(db.sql, 'migrate_batch'),
    calls: [
      ...OF_A_PLAN.map((name): [string, Record<string, unknown>] => [name, { plan: null }]),
      ['migrate_batch', { max_ms: null }],
      ['migrate_batch', { dry_run: null }],
      ['migrate_users_batch', { batch_size: null }],
      ['migrate_users_batch', { batch_offset: null }],
      ['migrate_user_to_avatar_centric', { user_id: null }],
      ['rollback_user_migration', { user_id: null }],
      ['rollback_user_migration', { user_id: NOBODY, force: null }],
      ['migrate_entity', { plan: 'avatars', entity: null }],
      ['rollback_entity', { plan: 'avatars', entity: null }],
      ['rollback_entity', { plan: 'avatars', entity: NOBODY, force: null }],
      ['rollback_batch', { max_ms: null }],
    ],
  },
  IM005: {
    when: 'a window or canary of an unprepared plan',
    avatars: 'none',
    calls: [['migrate_users_batch']],
    told: [canary],
  },
  IM006: {
    when: 'a table without the key that the plan needs',
    avatars: 'none',
    before: (db) => db.sql`alter table public.users drop constraint users_pkey cascade`,
    calls: [['migrate_batch'], ['prepare_migration'], ['dry_run_migration']],
  },
  IM007: {
    when: 'an option other than the run has',
    avatars: 'none',
    before: (db) => call(db.sql, 'migrate_batch', { max_failures: '3' }),
    calls: [['migrate_batch', { max_failures: '4' }]],
  },
  IM008: {
    when: 'a transition that the state does not allow',
    avatars: 'migrated',
    calls: [['resume_migration'], ['pause_migration'], ['cancel_migration'], ['retry_failed_migrations']],
  },
  IM009: {
    when: 'a rollback without a journal',
    before: (db) => call(db.sql, 'migrate_batch', { backup: false }),
    calls: [
      ['rollback_batch'],
      ['rollback_all_migrations'],
      ['rollback_user_migration', { user_id: NOBODY }],
    ],
  },
  IM010: {
    when: 'an entity that stays pending after apply',
    before: (db) =>
      db.sql`create or replace function avatars.apply(keys uuid[]) returns void language sql as ''`,
    told: [canary],
  },
  IM011: {
    when: 'a default avatar view with two rows for a user',
    before: (db) =>
      db.sql.unsafe(`
        drop view avatars.default_avatar;
        create view avatars.default_avatar as
        select u.id as owner_user_id, 'A'::text as name from public.users u, generate_series(1, 2)`),
    told: [canary],
  },
  IM012: {
    when: 'an installation whose names are taken',
    avatars: 'none',
    // The first statements of each migration, once more: everything that they look for is there.
    told: ['engine/install_check.sql', 'plans/avatars/schema.sql'].map((file) => async (db) => {
      return await refusal(
        db.sql.unsafe(await readFile(new URL(`../../sql/${file}`, import.meta.url), 'utf8')),
      );
    }),
  },
  IM013: {
    when: 'an entity that does not exist',
    calls: [['migrate_user_to_avatar_centric', { user_id: NOBODY }]],
  },
  IM014: {
    when: 'a write that the plan does not declare',
    avatars: 'none',
    before: async (db) => {
      await db.sql`create table public.elsewhere (id integer)`;
      await createTally(db.sql, 'integer', [1, 2, 3], {
        body: 'insert into public.elsewhere select unnest(keys);',
      });
    },
    calls: [['dry_run_migration', { plan: 'tally' }]],
  },
  IM015: {
    when: 'an argument that makes no sense',
    before: (db) => call(db.sql, 'migrate_batch'),
    calls: [
      ['migrate_batch', { max_ms: 0 }],
      ['migrate_batch', { max_ms: 3_600_001 }],
      ['migrate_batch', { max_failures: 'few' }],
      ['migrate_batch', { max_failures: '-1' }],
      ['migrate_batch', { max_failures: '101%' }],
      ['migrate_batch', { on_failure: 'panic' }],
      ['migrate_batch', { backup: false, on_failure: 'rollback' }],
      ['rollback_batch', { max_ms: -5 }],
      ['dry_run_migration', { mode: 'quick' }],
      ['dry_run_migration', { mode: null }],
    ],
  },
  IM016: {
    when: 'a transition while a batch holds the run',
    before: async (db) => {
      await oneUserOfTen(db);
      await db.sql`update imago.setting set value = '100' where name = 'state_lock_timeout_ms'`;
      const other = db.connect();
      await other`begin`;
      await call(other, 'migrate_batch', { max_ms: 1, batch_size: 1 });
    },
    calls: [['pause_migration'], ['cancel_migration']],
  },
  IM017: {
    when: 'a forward call during a rollback',
    avatars: 'migrated',
    before: async (db) => {
      await db.sql`select imago.start_rollback('avatars', false)`;
    },
    calls: [
      ['migrate_batch'],
      ['migrate_users_batch'],
      ['migrate_user_to_avatar_centric', { user_id: NOBODY }],
    ],
  },
  IM018: {
    when: 'a dry run that the statement timeout ends',
    users: 20,
    before: (db) =>
      db.sql.unsafe(`
        create function public.slow() returns trigger language plpgsql as $$ begin 
          -- The first user lasts until the timeout, however slow a machine is.
          perform pg_sleep(case current_setting('statement_timeout') when '5s' then 600 else 0.2 end); return new; end $$;
        create trigger slow before update on public.users for each row execute function public.slow();`),
    told: [
      async (db) => {
        const hasty = db.connect({ connection: { statement_timeout: 5000 } });
        return await refusal(call(hasty, 'dry_run_migration', { plan: 'avatars', mode: 'full' }));
      },
    ],
  },
  IM019: {
    when: 'a window or canary of a paused run',
    before: async (db) => {
      await oneUserOfTen(db);
      await call(db.sql, 'pause_migration');
    },
    calls: [['migrate_users_batch'], ['migrate_user_to_avatar_centric', { user_id: NOBODY }]],
  },
  IM020: {
    when: 'a run past its error budget',
    before: (db) => poison(db),
    told: [
      (db) => failed(db, { max_failures: '2' }),
      async (db) => {
        await db.sql`update imago.run set state = 'running', max_failures = '0'`;
        await db.sql`delete from imago.failure`;
        return (await call(db.sql, 'migrate_users_batch', { batch_size: 5 })).error;
      },
    ],
  },
  IM021: {
    when: 'a run whose statement misses a column',
    before: (db) => db.sql`alter table public.avatars drop column niche cascade`,
    told: [(db) => failed(db)],
  },
  IM022: {
    when: 'an action on a plan that never ran',
    avatars: 'none',
    calls: [
      ['pause_migration'],
      ['resume_migration'],
      ['cancel_migration'],
      ['retry_failed_migrations'],
      ['rollback_batch'],
      ['rollback_all_migrations'],
      ['rollback_user_migration', { user_id: NOBODY }],
    ],
  },
  IM023: {
    when: 'a canary that cannot be moved',
    before: (db) => poison(db),
    told: [canary],
  },
  IM024: {
    when: 'a window or canary of a failed run',
    before: async (db) => {
      await poison(db);
      await failed(db, { max_failures: '2' });
    },
    calls: [['migrate_users_batch'], ['migrate_user_to_avatar_centric', { user_id: NOBODY }]],
  },
  IM025: {
    when: 'a canary whose row somebody holds',
    before: async (db) => {
      const other = db.connect();
      await other`begin`;
      await other`update public.users set bio = bio`;
    },
    told: [canary],
  },
  IM026: {
    when: 'a fix that leaves its check unsatisfied',
    avatars: 'migrated',
    before: async (db) => {
      await wrongFollow(db);
      await db.sql.unsafe(
        "create or replace function avatars.fix_follows(keys uuid[]) returns void language sql as 'select'",
      );
    },
    told: [checkError({ fix_issues: true })],
  },
  IM027: {
    when: 'a fix during a run',
    before: async (db) => {
      await oneUserOfTen(db);
      await call(db.sql, 'pause_migration');
    },
    calls: [['validate_migration', { fix_issues: true }]],
  },
  IM028: {
    when: 'a check that does not fit the statement timeout',
    avatars: 'migrated',
    before: async (db) => {
      await db.sql`
        update imago.plan_check
        set query = 'select f.id as key, f.followed_id as entity from public.follows f, pg_sleep(60)'
        where name = 'follows_with_wrong_avatar'`;
    },
    told: [checkError({}, 800)],
  },
  IM029: {
    when: 'a check whose query fails',
    avatars: 'migrated',
    before: async (db) => {
      await db.sql`update imago.plan_check set query = 'select no_such_column' where name = 'follows_with_wrong_avatar'`;
    },
    told: [checkError({})],
  },
  IM030: {
    when: 'a fix whose function is gone',
    avatars: 'migrated',
    before: async (db) => {
      await wrongFollow(db);
      await db.sql`drop function avatars.fix_follows`;
    },
    told: [checkError({ fix_issues: true })],
  },
  IM035: {
    when: 'a sync that names a column that does not exist',
    avatars: 'none',
    before: (db) => db.sql`
      insert into imago.plan_sync (plan, position, name, relation, entity_column, statement)
      values ('avatars', 50, 'nothing', 'public.users', 'nowhere', 'select')`,
    told: [(db) => refusal(prepareAll(db.sql))],
  },
  IM036: {
    when: 'a sync that writes what is not declared',
    avatars: 'none',
    before: (db) => db.sql`
      insert into imago.plan_sync (plan, position, name, relation, entity_column, statement)
      values ('avatars', 50, 'likes', 'public.posts', 'user_id', 'delete from public.likes where post_id in (select id from new_rows)'),
        ('avatars', 51, 'comments', 'public.posts', 'user_id',
         'with n as (select * from new_rows) update public.comments c set body = n.body from n where c.post_id = n.id')`,
    told: [(db) => refusal(prepareAll(db.sql))],
  },
  IM044: {
    when: 'a written table with a key of two columns',
    avatars: 'none',
    before: async (db) => {
      await db.sql`create table public.pairs (a integer, b integer, primary key (a, b))`;
      await db.sql`insert into imago.plan_write (plan, position, relation, inserts) values ('avatars', 50, 'public.pairs', true)`;
    },
    told: [(db) => refusal(prepareAll(db.sql))],
  },
  IM045: {
    when: 'a write for a stage that does not exist',
    avatars: 'none',
    before: (db) => db.sql`
      insert into imago.plan_write (plan, position, stage, relation, entity_column, inserts)
      values ('avatars', 50, 7, 'public.likes', 'user_id', true)`,
    told: [(db) => refusal(prepareAll(db.sql))],
  },
  IM048: {
    when: 'a finalize that a view of the app stands against',
    avatars: 'none',
    before: async (db) => {
      await createApp(db.sql, 'tests/support/profile_gigs.sql', 10);
      await migrateAll(db.sql, { plan: 'profile_gigs' });
      await db.sql`create view public.skilled as select id from public."User" where cardinality(skills) > 0`;
    },
    told: [(db) => refusal(finalize(db.sql, 'profile_gigs'))],
  },
  IM073: {
    when: 'a step of prepare that raises',
    avatars: 'none',
    before: async (db) => {
      await db.sql.unsafe(`
        create or replace function avatars.prepare_posts() returns void language plpgsql as $$ begin raise exception 'no'; end $$`);
      for (let step = 0; step < 3; step++) await call(db.sql, 'prepare_migration');
    },
    calls: [['prepare_migration']],
    told: [(db) => failed(db)],
  },
  IM085: {
    when: 'a cohort of a plan that takes all',
    avatars: 'migrated',
    calls: [
      ['migrate_batch', { cohort: { percent: 10 } }],
      ['dry_run_migration', { cohort: { keys: [NOBODY] } }],
    ],
  },
  IM074: {
    when: 'forgetting an entity that is still there',
    avatars: 'migrated',
    told: [
      async (db) =>
        await refusal(call(db.sql, 'forget_entity', { plan: 'avatars', entity: await anyUser(db) })),
    ],
  },
  IM075: {
    when: 'a rollback of a forgotten entity',
    avatars: 'migrated',
    told: [
      async (db) => {
        const entity = await anyUser(db);
        await call(db.sql, 'forget_entity', { plan: 'avatars', entity, still_there: true });
        return await refusal(call(db.sql, 'rollback_entity', { plan: 'avatars', entity }));
      },
    ],
  },
  IM076: {
    when: 'a journaled column that is gone',
    avatars: 'migrated',
    before: async (db) => {
      await db.sql`alter table public.posts drop column avatar_id cascade`;
    },
    calls: [['rollback_batch'], ['migrate_batch'], ['rollback_user_migration', { user_id: NOBODY }]],
  },
  IM071: {
    when: 'a function of the plan that divides by zero',
    before: (db) =>
      db.sql`create or replace function avatars.statistics() returns jsonb language plpgsql as $$ begin return 1 / 0; end $$`,
    calls: [['get_migration_statistics']],
  },
  IM077: {
    when: 'giving up a column that is still there',
    avatars: 'migrated',
    calls: [
      ['give_up_column', { plan: 'avatars', relation: 'public.posts', column_name: 'avatar_id' }],
      ['give_up_column', { plan: 'avatars', relation: 'public.users' }],
    ],
  },
};

/** Codes that are raised where more is needed than a call or two, and the tests that do so. */
const ELSEWHERE: Record<string, readonly string[]> = {
  'schedule.test.ts': ['IM031', 'IM032', 'IM033', 'IM056'],
  'states.test.ts': ['IM034'],
  'finalize.test.ts': ['IM038', 'IM039'],
  'finalize-steps.test.ts': ['IM041', 'IM042', 'IM043', 'IM058'],
  'cleanup.test.ts': ['IM040'],
  'stages.test.ts': ['IM051', 'IM052'],
  'install-command.test.ts': ['IM053', 'IM054', 'IM055'],
  'dry-run-limits.test.ts': ['IM079', 'IM080'],
  'index-pointers.test.ts': ['IM057'],
  'surroundings.test.ts': ['IM060', 'IM061', 'IM072'],
  'session.test.ts': ['IM062', 'IM063', 'IM064'],
  'unreachable.test.ts': ['IM065', 'IM067'],
  'expect-done.test.ts': ['IM066'],
  'key-moves.test.ts': ['IM068'],
  'schema-moves.test.ts': ['IM069', 'IM070'],
  'hidden-rows.test.ts': ['IM078'],
  'throttle.test.ts': ['IM087', 'IM088'],
  'notify.test.ts': ['IM081'],
  'external.test.ts': ['IM094'],
  'plan-drop.test.ts': ['IM095'],
};

/** What a hint has typed, and what comes before where it says so. */
interface Remedy {
  /** Instead of the first call of the case: another way to be told. */
  told?: (db: TestDatabase) => Promise<Told>;
  /** "Fix the cause": what only a person can know. */
  first?: (db: TestDatabase) => Promise<unknown>;
  /** The things to type, in this order, as the hint spells them; a function by its name alone is called with its defaults. */
  typed: RegExp[];
  /** A word in a hint that stands for something that only a person knows. */
  fill?: (db: TestDatabase, statement: string) => Promise<string>;
  /** Instead of the calls of the case: what has to work then. */
  again?: (db: TestDatabase, hint: string) => Promise<unknown>;
}

const forgive = (db: TestDatabase) => db.sql`drop trigger refuse on public.avatars`;
const toTheEnd = /migrate_batch(?= until has_more)/;

/** Every hint that holds something to type literally, and whose case is above. */
const REMEDIES: Record<string, Remedy> = {
  IM005: { typed: [/select prepare_migration\('.*?'\)/] },
  IM007: {
    typed: [],
    again: (db, hint) => {
      const [, option = '', value = ''] = /^Call with (\w+) (\S+), as the run was/.exec(hint) ?? [];
      return call(db.sql, 'migrate_batch', { [option]: value });
    },
  },
  IM017: { typed: [/cancel_migration\('.*?'\)/] },
  IM018: {
    typed: [],
    again: (db) => call(db.sql, 'dry_run_migration', { plan: 'avatars', mode: 'full' }),
  },
  IM019: { typed: [/select resume_migration\('.*?'\)/] },
  IM020: {
    first: forgive,
    typed: [/select \* from migration_log where level = 'error'/, /retry_failed_migrations/],
    again: (db) => migrateAll(db.sql),
  },
  IM021: {
    first: (db) => db.sql`alter table public.avatars add column niche text`,
    typed: [/retry_failed_migrations/],
    again: async () => {},
  },
  IM022: { typed: [/migrate_batch/], again: (db) => call(db.sql, 'rollback_batch') },
  IM023: { first: forgive, typed: [] },
  IM024: { first: forgive, typed: [/retry_failed_migrations\('.*?'\)/] },
  IM027: {
    typed: [/select resume_migration\('.*?'\)/, toTheEnd],
    again: (db) => call(db.sql, 'validate_migration', { fix_issues: true }),
  },
  IM030: {
    typed: [/select \* from migration_log where level = 'error'/],
    again: async () => {},
  },
  IM073: {
    told: (db) => failed(db),
    first: (db) => db.sql`create or replace function avatars.prepare_posts() returns void language sql as ''`,
    typed: [/select retry_failed_migrations\('.*?'\)/],
    again: (db) => migrateAll(db.sql),
  },
  IM074: {
    typed: [/forget_entity\('.*?', …, still_there => true\)/],
    fill: async (db, statement) => statement.replace('…', `'${await anyUser(db)}'`),
    again: async () => {},
  },
  IM076: { typed: [/select give_up_column\(.*?\)/] },
};

/** Hints with something to type that is not typed here, and why. */
const NOT_TYPED: Record<string, string> = {
  IM009: '--no-backup is what was done, and nothing is to be typed',
  IM012: 'its command is tried by install-command.test.ts',
  IM031: 'typed by sql/remedies.test.ts',
  IM032: 'postgres owns what Supabase gives it; another owner of the functions is not made here',
  IM034: 'names an argument',
  IM042: 'the statement is run by finalize-steps.test.ts',
  IM043: 'the argument is tried by finalize.test.ts',
  IM051: 'the argument is tried by stages.test.ts',
  IM052: 'tried by stages.test.ts',
  IM053: 'tried by install-command.test.ts',
  IM054: 'tried by install-command.test.ts',
  IM056: 'typed by sql/remedies.test.ts',
  IM057: 'the statement is run by index-pointers.test.ts',
  IM058: 'tried by finalize-steps.test.ts',
  IM060: 'tried by surroundings.test.ts',
  IM061: 'tried by surroundings.test.ts',
  IM062: 'typed by sql/remedies.test.ts',
  IM063: 'typed by sql/remedies.test.ts',
  IM065: 'tried by unreachable.test.ts',
  IM068: 'its condition goes into a trigger of the app, which its author has to change',
  IM069: 'typed by schema-moves.test.ts',
  IM070: 'retried by schema-moves.test.ts',
  IM071: 'names what migrate_batch does by itself; unreadable.test.ts has it do so',
  IM072: 'retried by surroundings.test.ts',
  IM075: 'says what was typed, and that nothing is to be done',
  IM078: 'typed by hidden-rows.test.ts',
  IM079: 'the same statement as IM005',
  IM081: 'the way that needs nothing is turned on by notify.test.ts',
  IM085: 'says to leave an argument out; cohorts.test.ts goes on so',
  IM087: 'typed by throttle.test.ts',
  IM088: 'the argument is typed by governor.test.ts',
  IM094: 'the command is typed by external-command.test.ts',
  IM095: 'what it says is called by plan-drop.test.ts',
};

/** Something that is typed: SQL, one of our functions, an argument by its name, a command or an option of one. */
const typeable =
  /\b(select|set|grant|alter|create) [a-z*]|\b[a-z]+(_[a-z]+)*_(migrations?|batch|column|entity)\b|=>|--[a-z]|\bnp[mx] /;

/** Types a statement as it stands, as postgres, for as long as its answer says that there is more. */
async function type(db: TestDatabase, text: string): Promise<void> {
  const statement = text.startsWith('select ') ? text : `select ${text}${text.includes('(') ? '' : '()'}`;
  let more = true;
  while (more) {
    const [row] = await db.sql.unsafe(statement);
    more = Object.values(row ?? {}).some((answer) => answer?.has_more === true && answer.status !== 'failed');
    if (!/prepare_migration|_batch/.test(statement)) more = false;
  }
}

/** What the hint of an error says to type is typed as postgres, and then it works. */
async function followHint(db: TestDatabase, code: string, raised: Told): Promise<void> {
  const [name, args] = CASES[code]?.calls?.[0] ?? [];
  const { told, first, typed, fill, again } = REMEDIES[code] as Remedy;
  const error = told ? await told(db) : raised;
  expect(error.code).toBe(code);
  const hint = error.hint ?? '';
  await first?.(db);
  for (const pattern of typed) {
    const [text = ''] = pattern.exec(hint) ?? [];
    expect({ hint, pattern, text }).not.toMatchObject({ text: '' });
    await type(db, fill ? await fill(db, text) : text);
  }
  if (again) await again(db, hint);
  else if (name) await call(db.sql, name, args).catch((met) => expect(met.code).toBe('IM013'));
  else await call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) });
}

describe('what a hint says to type', () => {
  test('is tried for each code of imago.error, here or where NOT_TYPED says', async () => {
    const db = await database(1, 'none');
    const codes = await db.sql<{ code: string; hint: string }[]>`select code, hint from imago.error`;
    const holding = codes.filter(({ hint }) => typeable.test(hint)).map(({ code }) => code);
    const tried = [...Object.keys(REMEDIES), ...Object.keys(NOT_TYPED)];
    expect(holding.filter((code) => !tried.includes(code))).toEqual([]);
    expect(tried.filter((code) => !codes.some((row) => row.code === code))).toEqual([]);
  });
});

describe('error codes', () => {
  test('each code of imago.error has a case, and each case a code', async () => {
    const db = await database(1, 'none');
    const codes = await db.sql`select code from imago.error order by code`;
    expect([...Object.keys(CASES), ...Object.values(ELSEWHERE).flat()].sort()).toEqual(
      codes.map((row) => row.code),
    );
  });

  test.each(Object.entries(ELSEWHERE))(
    '%s has a case of each code that this file leaves to it',
    async (file, codes) => {
      const text = await readFile(new URL(file, import.meta.url), 'utf8');
      expect(codes.filter((code) => !text.includes(`'${code}'`))).toEqual([]);
    },
  );

  test.each(Object.entries(CASES).map(([code, made]) => [code, made.when, made] as const))(
    '%s is raised, with message and hint filled in, for %s; what the hint says to type works',
    async (code, _, { users, avatars, before, calls, told }) => {
      const db = await database(users, avatars);
      await before?.(db);
      const [texts] = await db.sql<{ message: string; hint: string }[]>`
      select message, hint from imago.error where code = ${code}`;
      const all = [
        ...(calls ?? []).map(
          ([name, args]) => [JSON.stringify([name, args]), () => refusal(call(db.sql, name, args))] as const,
        ),
        ...(told ?? []).map((way) => [way.toString(), () => way(db)] as const),
      ];
      let first: Told | undefined;
      for (const [what, raise] of all) {
        const error = await raise();
        first ??= error;
        expect([what, error.code]).toEqual([what, code]);
        expect(error.message).toMatch(filledIn(texts?.message ?? ''));
        expect(error.hint).toMatch(filledIn(texts?.hint ?? ''));
      }
      if (first && code in REMEDIES) await followHint(db, code, first);
    },
  );

  /** A text of imago.error as a pattern: each %1$s stands for something that is not empty. */
  function filledIn(text: string): RegExp {
    const literal = text.split(/%\d\$[sIL]/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${literal.join('(?:(?!%\\d\\$).)+')}$`, 's');
  }
});

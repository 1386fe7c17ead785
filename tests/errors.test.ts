import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from './support/avatars.ts';
import { type Answer, call, refusal, value } from './support/call.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';
import { migrateAll } from './support/imago.ts';
import { createTally } from './support/tally.ts';

/** What a caller is told: an error of the call, or the error in its answer. */
interface Told {
  code: string;
  message: string;
  hint?: string | null | undefined;
  detail?: string | undefined;
}

const databases: TestDatabase[] = [];

/** A database with the sample app, prepared unless told otherwise. */
async function database(users = 10, prepared = true): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users });
  databases.push(db);
  if (prepared) await prepareAll(db.sql);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

const anyUser = (db: TestDatabase) => value<string>(db.sql, 'select id from public.users order by id limit 1');
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

/** For each code of imago.error, the ways to get it. */
const CASES: Record<string, (() => Promise<Told>)[]> = {
  IM001: [
    'migrate_batch',
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
    'dry_run_migration',
  ].map((name) => async () => {
    const db = await database(1, false);
    return await refusal(call(db.sql, name, { plan: 'avatarz' }));
  }),
  IM002: [0, -1, 10_001].flatMap((batch_size) =>
    ['migrate_batch', 'migrate_users_batch', 'dry_run_migration'].map((name) => async () => {
      const db = await database(1);
      return await refusal(call(db.sql, name, { batch_size }));
    }),
  ),
  IM003: [
    async () => {
      const db = await database(1);
      return await refusal(call(db.sql, 'migrate_users_batch', { batch_size: 1, batch_offset: -1 }));
    },
  ],
  IM004: (
    [
      ['migrate_batch', { plan: null }],
      ['migrate_batch', { max_ms: null }],
      ['migrate_batch', { backup: null }],
      ['migrate_batch', { dry_run: null }],
      ['migrate_users_batch', { batch_size: null }],
      ['migrate_users_batch', { batch_offset: null }],
      ['migrate_user_to_avatar_centric', { user_id: null }],
      ['rollback_user_migration', { user_id: null }],
      ['rollback_user_migration', { user_id: NOBODY, force: null }],
      ['rollback_batch', { force: null }],
      ['rollback_batch', { max_ms: null }],
      ['rollback_all_migrations', { force: null }],
      ['pause_migration', { plan: null }],
    ] as const
  ).map(([name, args]) => async () => {
    const db = await database(1);
    await call(db.sql, 'migrate_batch');
    return await refusal(call(db.sql, name, args));
  }),
  IM005: [
    async () => {
      const db = await database(1, false);
      return await refusal(call(db.sql, 'migrate_users_batch'));
    },
    async () => {
      const db = await database(1, false);
      return await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) }));
    },
  ],
  IM006: ['migrate_batch', 'prepare_migration', 'dry_run_migration'].map((name) => async () => {
    const db = await database(1, false);
    await db.sql`alter table public.users alter column id drop default, drop constraint users_pkey cascade`;
    return await refusal(call(db.sql, name));
  }),
  IM007: [
    async () => {
      const db = await database(1, false);
      await call(db.sql, 'migrate_batch', { max_failures: '3' });
      return await refusal(call(db.sql, 'migrate_batch', { max_failures: '4' }));
    },
  ],
  IM008: [
    async () => {
      const db = await database(1);
      await call(db.sql, 'migrate_batch');
      return await refusal(call(db.sql, 'resume_migration'));
    },
  ],
  IM009: [
    async () => {
      const db = await database(3);
      await call(db.sql, 'migrate_batch', { backup: false });
      return await refusal(call(db.sql, 'rollback_batch'));
    },
    async () => {
      const db = await database(3);
      await call(db.sql, 'migrate_batch', { backup: false });
      return await refusal(call(db.sql, 'rollback_user_migration', { user_id: await anyUser(db) }));
    },
    async () => {
      const db = await database(3);
      await call(db.sql, 'migrate_batch', { backup: false });
      return await refusal(call(db.sql, 'rollback_all_migrations'));
    },
  ],
  IM010: [
    async () => {
      const db = await database(1);
      await db.sql`create or replace function avatars.apply(keys uuid[]) returns void language sql as ''`;
      return await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) }));
    },
  ],
  IM011: [
    async () => {
      const db = await database(1);
      await db.sql`drop view avatars.default_avatar`;
      await db.sql`
        create view avatars.default_avatar as
        select u.id as owner_user_id, 'A'::text as name from public.users u, generate_series(1, 2)`;
      return await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) }));
    },
  ],
  IM012: [
    async () => {
      // The first file of the migration, once more: everything that it looks for is there.
      const db = await database(1, false);
      const check = await readFile(new URL('../sql/engine/install_check.sql', import.meta.url), 'utf8');
      return await refusal(db.sql.unsafe(check));
    },
    async () => {
      const db = await database(1, false);
      const check = await readFile(new URL('../sql/plans/avatars/schema.sql', import.meta.url), 'utf8');
      return await refusal(db.sql.unsafe(check));
    },
  ],
  IM013: [
    async () => {
      const db = await database(1);
      return await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: NOBODY }));
    },
  ],
  IM014: [
    async () => {
      const db = await database(1, false);
      await db.sql`create table public.elsewhere (id integer)`;
      await createTally(db.sql, 'integer', [1, 2, 3], { body: 'insert into public.elsewhere select unnest(keys);' });
      return await refusal(call(db.sql, 'dry_run_migration', { plan: 'tally' }));
    },
  ],
  IM015: (
    [
      ['migrate_batch', { max_ms: 0 }],
      ['migrate_batch', { max_ms: 3_600_001 }],
      ['migrate_batch', { max_failures: 'few' }],
      ['migrate_batch', { max_failures: '-1' }],
      ['migrate_batch', { max_failures: '101%' }],
      ['migrate_batch', { on_failure: 'panic' }],
      ['migrate_batch', { on_failure: null }],
      ['migrate_batch', { backup: false, on_failure: 'rollback' }],
      ['rollback_batch', { max_ms: -5 }],
      ['dry_run_migration', { mode: 'quick' }],
      ['dry_run_migration', { mode: null }],
    ] as const
  ).map(([name, args]) => async () => {
    const db = await database(1);
    return await refusal(call(db.sql, name, args));
  }),
  IM016: [
    async () => {
      const db = await database(10);
      await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 1 });
      await db.sql`update imago.setting set value = '100' where name = 'state_lock_timeout_ms'`;
      const other = db.connect();
      await other`begin`;
      await call(other, 'migrate_batch', { max_ms: 1, batch_size: 1 });
      return await refusal(call(db.sql, 'pause_migration'));
    },
  ],
  IM017: (
    [
      ['migrate_batch', {}],
      ['migrate_users_batch', {}],
      ['migrate_user_to_avatar_centric', { user_id: NOBODY }],
    ] as const
  ).map(([name, args]) => async () => {
    const db = await database(10);
    await migrateAll(db.sql);
    await db.sql`select imago.start_rollback('avatars', false)`;
    return await refusal(call(db.sql, name, args));
  }),
  IM018: [
    async () => {
      const db = await database(20);
      await db.sql.unsafe(`
        create function public.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(0.1); return new; end $$;
        create trigger slow before update on public.users for each row execute function public.slow();`);
      const hasty = db.connect({ connection: { statement_timeout: 700 } });
      return await refusal(call(hasty, 'dry_run_migration', { plan: 'avatars', mode: 'full' }));
    },
  ],
  IM019: [
    async () => {
      const db = await database(10);
      await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 1 });
      await call(db.sql, 'pause_migration');
      return await refusal(call(db.sql, 'migrate_users_batch'));
    },
    async () => {
      const db = await database(10);
      await call(db.sql, 'migrate_batch', { max_ms: 1, batch_size: 1 });
      await call(db.sql, 'pause_migration');
      return await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) }));
    },
  ],
  IM020: [
    async () => {
      const db = await database(10);
      await poison(db);
      return await failed(db, { max_failures: '2' });
    },
  ],
  IM021: [
    async () => {
      const db = await database(10);
      await db.sql`alter table public.avatars drop column niche cascade`;
      return await failed(db);
    },
  ],
  IM022: [
    'pause_migration',
    'resume_migration',
    'cancel_migration',
    'retry_failed_migrations',
    'rollback_batch',
    'rollback_all_migrations',
  ].map((name) => async () => {
    const db = await database(1);
    return await refusal(call(db.sql, name));
  }),
  IM023: [
    async () => {
      const db = await database(1);
      await poison(db);
      return await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) }));
    },
  ],
  IM024: (
    [
      ['migrate_users_batch', {}],
      ['migrate_user_to_avatar_centric', { user_id: NOBODY }],
    ] as const
  ).map(([name, args]) => async () => {
    const db = await database(10);
    await poison(db);
    await failed(db, { max_failures: '2' });
    return await refusal(call(db.sql, name, args));
  }),
  IM025: [
    async () => {
      const db = await database(1);
      const other = db.connect();
      await other`begin`;
      await other`update public.users set bio = bio`;
      return await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id: await anyUser(db) }));
    },
  ],
};

describe('error codes', () => {
  test('each of imago.error has a case, and the other way round', async () => {
    const db = await database(1, false);
    const codes = await db.sql`select code from imago.error order by code`;
    expect(Object.keys(CASES).sort()).toEqual(codes.map((row) => row.code));
  });

  test.each(Object.entries(CASES))('%s, with its message and its hint filled in', async (code, cases) => {
    const db = await database(1, false);
    const [texts] = await db.sql<{ message: string; hint: string }[]>`
      select message, hint from imago.error where code = ${code}`;
    for (const raise of cases) {
      const told = await raise();
      expect(told.code).toBe(code);
      expect(told.message).toMatch(filledIn(texts?.message ?? ''));
      expect(told.hint).toMatch(filledIn(texts?.hint ?? ''));
      await Promise.all(databases.splice(1).map((used) => used.drop()));
    }
  });

  /** A text of imago.error as a pattern: each %1$s stands for something that is not empty. */
  function filledIn(text: string): RegExp {
    const literal = text.split(/%\d\$[sIL]/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${literal.join('[^%]+')}$`, 's');
  }
});

describe('what people wrote about themselves', () => {
  const SECRET = 'SECRET-7f3a';
  let checked = 0;

  afterAll(() => {
    expect(checked).toBeGreaterThan(10);
  });

  /** Neither an error nor a record of ours holds a word of it. */
  async function expectNoSecret(db: TestDatabase, errors: unknown[]): Promise<void> {
    for (const error of errors) {
      checked++;
      const told = error as Record<string, unknown>;
      expect(JSON.stringify([told.message, told.detail, told.hint, told.constraint_name, told.column_name])).not.toContain(SECRET);
    }
    for (const table of ['imago.log', 'imago.failure', 'imago.run', 'imago.batch', 'imago.lane', 'public.migration_log']) {
      const rows = await db.sql.unsafe(`select * from ${table}`);
      expect([table, JSON.stringify(rows).includes(SECRET)]).toEqual([table, false]);
    }
  }

  const poisons: [string, string, string][] = [
    ['a check constraint', `alter table public.avatars add constraint short check (length(bio) < 3 or bio not like 'SECRET%')`, '23514'],
    [
      'a trigger that quotes the row',
      `create function public.tell() returns trigger language plpgsql as $$ begin
         raise exception 'cannot take %', new.bio using detail = new.bio, hint = new.bio; end $$;
       create trigger tell before insert on public.avatars for each row execute function public.tell()`,
      'P0001',
    ],
    ['an over-long name', `alter table public.avatars alter column name type varchar(5)`, '22001'],
    ['a unique bio', `create unique index one_bio on public.avatars (left(bio, 6))`, '23505'],
    ['a cast in a trigger', `create function public.cast_it() returns trigger language plpgsql as $$ begin
         perform new.bio::integer; return new; end $$;
       create trigger cast_it before insert on public.avatars for each row execute function public.cast_it()`, '22P02'],
    ['an error in a column expression', `alter table public.avatars add column n integer generated always as (length(bio) / (length(bio) - length(bio))) stored`, '22012'],
  ];

  test.each(poisons)('stays out of errors and logs: %s', async (_, sql, sqlstate) => {
    const db = await database(20);
    await db.sql`update public.users set username = ${`${SECRET}-u`}, display_name = ${`${SECRET}-n`}, bio = ${`${SECRET}-b`}`;
    await db.sql.unsafe(sql);
    const user_id = await anyUser(db);
    const errors: unknown[] = [];
    if (sqlstate !== '23505') {
      const error = await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id }));
      expect(error.code).toBe('IM023');
      expect(error.message).toContain(sqlstate);
      errors.push(error);
    }
    errors.push(await call(db.sql, 'migrate_users_batch', { batch_size: 10 }));
    errors.push(...(await migrateAll(db.sql)));
    errors.push(await call(db.sql, 'dry_run_migration'), await call(db.sql, 'get_migration_performance_stats'));
    errors.push(await call(db.sql, 'get_detailed_migration_progress'));
    expect(await value(db.sql, 'select distinct sqlstate from imago.failure')).toBe(sqlstate);
    await expectNoSecret(db, errors);
  });
});

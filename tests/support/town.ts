import type { Sql } from 'postgres';
import { createPlan, type PlanParts, type Sync } from './plan.ts';

/** How the tables of a town are written, and what the key of a person is. */
export interface TownShape {
  people: string;
  profiles: string;
  letters: string;
  /** Key of people, as SQL writes it. */
  id: string;
  keyType: 'integer' | 'text' | 'uuid';
  /** SQL: the key of the n-th person. */
  key(n: number | string): string;
  /** After the columns of profiles and letters: how they are partitioned. */
  partitioned: boolean;
}

/** Names that need no quotes. */
export const PLAIN: TownShape = {
  people: 'public.people',
  profiles: 'public.profiles',
  letters: 'public.letters',
  id: 'id',
  keyType: 'integer',
  key: (n) => `${n}`,
  partitioned: false,
};

/** Names that do, keys that are text, tables in partitions. */
export const QUOTED: TownShape = {
  people: 'public."Peo""ple"',
  profiles: 'public."Pro files"',
  letters: `public."Let'ters"`,
  id: '"Id %s"',
  keyType: 'text',
  key: (n) => `'Ä-' || ${n}`,
  partitioned: true,
};

/**
 * A town: people with a city, letters to them; and the plan that gives each of them a profile, which holds the city
 * from then on, and each letter the profile that it goes to. Both sides are kept equal whichever the app writes.
 */
export async function createTown(
  sql: Sql,
  count: number,
  shape: TownShape = PLAIN,
  change: (syncs: Sync[]) => Sync[] = (syncs) => syncs,
): Promise<void> {
  const { people, profiles, letters, id, keyType, key } = shape;
  const bare = (name: string) => (name.split('.').at(-1) ?? '').replace(/^"|"$/g, '').replaceAll('""', '"');
  const by = (column: string) => (shape.partitioned ? `partition by hash (${column})` : '');
  const parts = (relation: string) =>
    shape.partitioned
      ? [0, 1]
          .map(
            (n) =>
              `create table public.part_${bare(relation).replace(/\W/g, '_')}_${n} partition of ${relation} for values with (modulus 2, remainder ${n});`,
          )
          .join('\n')
      : '';
  await sql.unsafe(`
    create table ${people} (${id} ${keyType} primary key, city text, bio text, updated_at timestamptz default '2020-01-01');
    create table ${profiles} (
      id uuid primary key default gen_random_uuid(), person ${keyType} not null references ${people} (${id}) on delete cascade,
      city text, note text, updated_at timestamptz not null default '2020-01-01', constraint no_poison check (city <> 'poison')
    ) ${by('id')};
    ${parts(profiles)}
    create index on ${profiles} (person);
    create table ${letters} (
      id integer primary key, person ${keyType} not null references ${people} (${id}) on delete cascade, body text,
      profile uuid references ${profiles} (id) on delete set null
    ) ${by('id')};
    ${parts(letters)}
    create index on ${letters} (person);
    create function public.touch() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$;
    create trigger touch before update on ${people} for each row execute function public.touch();
    create trigger touch before update on ${profiles} for each row execute function public.touch();
    insert into ${people} (${id}, city) select ${key('n')}, 'city ' || n from generate_series(1, ${count}) n;
    insert into ${letters} (id, person, body) select n, ${key(`(1 + n % ${count})`)}, 'letter' from generate_series(1, ${count * 3}) n;`);

  const mirrored = 'f.city is distinct from n.city';
  const syncs: Sync[] = [
    {
      name: 'new people',
      relation: people,
      entity: bare(id),
      events: ['insert'],
      creates: true,
      statement: `select trial.apply(array(select n.${id} from new_rows n))`,
    },
    {
      name: 'city of a person',
      relation: people,
      entity: bare(id),
      events: ['update'],
      columns: ['city'],
      statement: `update ${profiles} f set city = n.city from new_rows n where f.person = n.${id} and ${mirrored};`,
    },
    {
      name: 'city of a profile',
      relation: profiles,
      entity: 'person',
      events: ['insert', 'update', 'delete'],
      columns: ['city'],
      direction: 'back',
      statement: `
        With gone as (select o.person from old_rows o where not exists (select from new_rows n where n.id = o.id))
        update ${people} f set city = n.city
        from (select person, city from new_rows union all select person, null from gone) n
        where f.${id} = n.person and ${mirrored}`,
    },
    {
      name: 'letters',
      relation: letters,
      entity: 'person',
      columns: ['person'],
      statement: `
        update ${letters} l set profile = f.id from new_rows n left join ${profiles} f on f.person = n.person
        where l.id = n.id and l.profile is distinct from f.id`,
    },
  ];
  const plan: PlanParts = {
    table: bare(people),
    key: bare(id),
    keyType,
    pending: `
      not exists (select from ${profiles} f where f.person = s.${id} and f.city is not distinct from s.city)
      or exists (select from ${letters} l where l.person = s.${id} and l.profile is null)`,
    apply: `
      insert into ${profiles} (person, city, note) select p.${id}, p.city, 'new' from ${people} p
      where p.${id} = any (keys) and not exists (select from ${profiles} f where f.person = p.${id});
      update ${profiles} f set city = p.city from ${people} p
      where p.${id} = any (keys) and f.person = p.${id} and f.city is distinct from p.city;
      update ${letters} l set profile = f.id from ${profiles} f where f.person = l.person and l.person = any (keys) and l.profile is null;`,
    writes: [
      { relation: profiles, entity: 'person', inserts: true },
      { relation: letters, entity: 'person', columns: ['profile'], points_to: { profile: profiles } },
    ],
    syncs: change(syncs),
  };
  await createPlan(sql, plan);
}

/** People whose two sides differ, and letters that do not go to the profile of their person. */
export async function townFaults(sql: Sql, shape: TownShape = PLAIN): Promise<Record<string, number>> {
  const { people, profiles, letters, id } = shape;
  const [row] = await sql.unsafe<Record<string, number>[]>(`
    select
      (select count(*)::int from ${people} p full join ${profiles} f on f.person = p.${id}
       where p.${id} is null or f.id is null or p.city is distinct from f.city) as people,
      (select count(*)::int from (select from ${profiles} group by person having count(*) > 1) d) as doubles,
      (select count(*)::int from ${letters} l left join ${profiles} f on f.id = l.profile
       where f.person is distinct from l.person) as letters`);
  return row ?? {};
}

/** What townFaults finds in a town where nothing is wrong. */
export const NO_FAULTS = { people: 0, doubles: 0, letters: 0 };

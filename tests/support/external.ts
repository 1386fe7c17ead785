/** A plan whose work is done outside: people whose names are hashed by somebody else. */
import type { Sql } from 'postgres';

export const EXTERNAL = 'hashes';

/** Makes the table, with so many people, and the plan. As its second stage: the first is done by SQL, on ten teams. */
export async function createExternalPlan(sql: Sql, people: number, stage: 1 | 2 = 1): Promise<void> {
  const suffix = stage === 1 ? '' : '_2';
  const register =
    stage === 1
      ? `select imago.create_plan('${EXTERNAL}', 'Hashes of names', 'public', 'people', 'id', 'person', 'people');
         update imago.plan set external = true where name = '${EXTERNAL}';`
      : `create table public.teams (id integer primary key, number integer);
         insert into public.teams select generate_series(1, 10);
         select imago.create_plan('${EXTERNAL}', 'Hashes of names', 'public', 'teams', 'id');
         create view ${EXTERNAL}.pending as select t.id as entity from public.teams t where t.number is null;
         create function ${EXTERNAL}.apply(keys integer[]) returns void language sql set search_path = '' as
           'update public.teams t set number = t.id where t.id = any (keys) and t.number is null';
         insert into imago.plan_stage (plan, number, source_schema, source_table, key_column, external)
           values ('${EXTERNAL}', 2, 'public', 'people', 'id', true);
         insert into imago.plan_write (plan, position, relation, entity_column, columns) values ('${EXTERNAL}', 1, 'public.teams', 'id', '{number}');`;
  await sql.unsafe(`
    create table public.people (id uuid primary key default gen_random_uuid(), name text not null, hash text);
    insert into public.people (name) select 'Person ' || n from generate_series(1, ${people}) n;
    analyze public.people;
    ${register}
    create view ${EXTERNAL}.pending${suffix} as select p.id as entity from public.people p where p.hash is null;
    create function ${EXTERNAL}.read${suffix}(keys uuid[]) returns jsonb language plpgsql stable set search_path = '' as $$
      begin
        if exists (select from public.people p where p.id = any (keys) and p.name = 'unreadable') then
          raise exception using errcode = '22023', message = 'no such name';
        end if;
        return (select jsonb_object_agg(p.id, jsonb_build_object('name', p.name)) from public.people p where p.id = any (keys));
      end $$;
    create function ${EXTERNAL}.apply${suffix}(keys uuid[], results jsonb) returns void language sql set search_path = '' as $$
      select set_config('search_path', imago.app_search_path(), true);
      update public.people p set hash = results #>> array[p.id::text, 'hash'] where p.id = any (keys) and p.hash is null;
    $$;
    insert into imago.plan_write (plan, position, stage, relation, entity_column, columns)
      values ('${EXTERNAL}', 2, ${stage}, 'public.people', 'id', '{hash}');
    select imago.revoke_plan_functions('${EXTERNAL}');`);
}

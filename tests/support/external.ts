/** A plan whose work is done outside: people whose names are hashed by somebody else. */
import type { Sql } from 'postgres';

export const EXTERNAL = 'hashes';

/** Makes the table, with so many people, and the plan. */
export async function createExternalPlan(sql: Sql, people: number): Promise<void> {
  await sql.unsafe(`
    create table public.people (id uuid primary key default gen_random_uuid(), name text not null, hash text);
    insert into public.people (name) select 'Person ' || n from generate_series(1, ${people}) n;
    analyze public.people;
    select imago.create_plan('${EXTERNAL}', 'Hashes of names', 'public', 'people', 'id', 'person', 'people');
    update imago.plan set external = true where name = '${EXTERNAL}';
    create view ${EXTERNAL}.pending as select p.id as entity from public.people p where p.hash is null;
    create function ${EXTERNAL}.read(keys uuid[]) returns jsonb language plpgsql stable set search_path = '' as $$
      begin
        if exists (select from public.people p where p.id = any (keys) and p.name = 'unreadable') then
          raise exception using errcode = '22023', message = 'no such name';
        end if;
        return (select jsonb_object_agg(p.id, jsonb_build_object('name', p.name)) from public.people p where p.id = any (keys));
      end $$;
    create function ${EXTERNAL}.apply(keys uuid[], results jsonb) returns void language sql set search_path = '' as $$
      select set_config('search_path', imago.app_search_path(), true);
      update public.people p set hash = results #>> array[p.id::text, 'hash'] where p.id = any (keys) and p.hash is null;
    $$;
    insert into imago.plan_write (plan, position, relation, entity_column, columns) values ('${EXTERNAL}', 1, 'public.people', 'id', '{hash}');
    select imago.revoke_plan_functions('${EXTERNAL}');`);
}

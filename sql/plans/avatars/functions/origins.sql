create or replace function avatars.origins()
returns jsonb
language sql
stable
set search_path = ''
as $$
  -- A view of somebody's own may put any column of users that it reads into any column of avatars.
  with read as (
    select coalesce(array_agg(distinct a.attname::text), '{}') as columns
    from pg_catalog.pg_rewrite r
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass and d.objid = r.oid
    join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where r.ev_class = pg_catalog.to_regclass('avatars.default_avatar')
      and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refobjid = pg_catalog.to_regclass('public.users')
  )
  select jsonb_object_agg(v.column_name, case
    when v.column_name in ('id', 'owner_user_id') or pg_catalog.to_regclass('avatars.default_avatar') is null then to_jsonb(v.sources)
    else to_jsonb(r.columns) end) || '{"created_at": [], "updated_at": []}'
  from avatars.default_values() v cross join read r
  where v.column_name <> 'personality_prompt'
$$;
comment on function avatars.origins() is 'The columns of public.avatars, each with the columns of public.users that a default avatar has its value from.';

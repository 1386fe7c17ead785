create or replace function imago.entities_query(plan_name text, sync_position integer, event text)
returns text
language sql
stable
set search_path = ''
as $$
  select format('select coalesce(array_agg(distinct r.k), ''{}'') from (%s) r where r.k is not null', (
    select string_agg(format('select %s as k from %s t', imago.sync_entity(s, 't', imago.key_now(s.plan, s.relation, s.entity_column)), t), ' union all ')
    from unnest(case event when 'INSERT' then '{imago_new}' when 'DELETE' then '{imago_old}' else '{imago_old,imago_new}' end::text[]) t))
  from imago.plan_sync s where s.plan = plan_name and s.position = sync_position
$$;
comment on function imago.entities_query(text, integer, text) is 'SQL for the trigger of a sync whose columns were renamed: the entities of all rows of the statement.';

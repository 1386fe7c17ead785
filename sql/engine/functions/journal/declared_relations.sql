create or replace function imago.declared_relations(plan_name text)
returns setof text
language sql
stable
set search_path = ''
as $$
  select p.source from imago.plan p where p.name = plan_name
  union select t.source from imago.plan_stage t where t.plan = plan_name
  union select w.relation from imago.plan_write w where w.plan = plan_name and w.captured_at is not null
  union select s.relation from imago.plan_sync s where s.plan = plan_name and s.installed_at is not null
$$;
comment on function imago.declared_relations(text) is 'The tables that a prepared plan walks, writes and follows, as it names them.';

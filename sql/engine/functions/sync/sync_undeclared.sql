create or replace function imago.sync_undeclared(sync imago.plan_sync, explained json)
returns text
language sql
stable
set search_path = ''
as $$
  select string_agg(distinct t.relation, ', ')
  from jsonb_path_query(explained::jsonb, 'strict $.**') n(node)
  cross join lateral (select format('%I.%I', n.node ->> 'Schema', n.node ->> 'Relation Name') as relation) t
  where sync.direction = 'forward'
    and jsonb_typeof(n.node) = 'object' and n.node ->> 'Node Type' = 'ModifyTable' and n.node ->> 'Operation' <> 'Delete'
    and not exists (
      select from imago.plan_write w
      where w.plan = sync.plan and w.relation::pg_catalog.regclass = t.relation::pg_catalog.regclass)
$$;
comment on function imago.sync_undeclared(imago.plan_sync, json) is 'Tables that the statement of a forward sync writes and its plan does not declare, by the planner''s word. What functions write it cannot know.';

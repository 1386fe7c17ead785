create or replace function imago.unreachable_findings(sources text[], entities text[])
returns jsonb
language sql
stable
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'object', format('%s %s', u.source, coalesce(u.entity, 'null')),
    'message', case when u.entity is null then 'the view pending lists rows whose entity is null' else 'is pending, and there is no such row' end,
    'hint', 'Give these rows an entity that is there, or have the view leave them out; then call retry_failed_migrations.') order by u.n), '[]')
  from unnest(sources, entities) with ordinality u(source, entity, n)
$$;
comment on function imago.unreachable_findings(text[], text[]) is 'Unreachable entities as findings of a check.';

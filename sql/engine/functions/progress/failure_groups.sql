create or replace function imago.failure_groups(plan_name text, keys integer)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  plan constant imago.plan := imago.find_plan(plan_name);
begin
  if keys is null or keys not between 0 and 100 then
    perform imago.raise_error('IM015', 'keys', coalesce(keys::text, 'null'), '0 to 100');
  end if;
  return imago.plan_words(plan) || jsonb_build_object('plan', plan_name, 'groups', coalesce((
    select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'kind', g.kind, 'direction', g.direction, 'stage', g.stage, 'sqlstate', g.sqlstate, 'constraint', g.constraint_name,
        'relation', g.table_name, 'column', g.column_name, 'reason_kind', g.reason_kind, 'referenced_by', g.referenced_by,
        'reason', g.reason, 'raised_by', g.raised_by, 'found', g.found, 'newest_at', g.newest_at))
      || jsonb_build_object('keys', coalesce(to_jsonb(g.entities[1:failure_groups.keys]), '[]')) order by g.found desc, g.newest_at desc)
    from (
      select f.kind, f.direction, f.stage, f.sqlstate, f.constraint_name, f.table_name, f.column_name, f.reason_kind, f.referenced_by, f.raised_by,
        min(f.reason) as reason, count(distinct coalesce(f.entity, '')) as found, max(f.created_at) as newest_at,
        array_agg(distinct f.entity order by f.entity) filter (where f.entity is not null) as entities
      from imago.failure f
      where f.plan = plan_name and f.kind <> 'forgotten'
      group by f.kind, f.direction, f.stage, f.sqlstate, f.constraint_name, f.table_name, f.column_name, f.reason_kind, f.referenced_by, f.raised_by
    ) g), '[]'));
end
$$;
comment on function imago.failure_groups(text, integer) is 'Who is set aside, grouped by reason, the largest group first, each with so many keys at most.';

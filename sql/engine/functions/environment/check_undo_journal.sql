create or replace function imago.check_undo_journal(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with journal as (
    select w.relation, w.undo_table, t.name as trigger_name, g.tgenabled
    from imago.plan_write w
    left join unnest(array['guard', 'update', 'insert']) k(kind) on k.kind <> 'insert' or w.inserts
    cross join lateral (select imago.trigger_name(w.plan, k.kind) as name) t
    left join pg_catalog.pg_trigger g on g.tgrelid = pg_catalog.to_regclass(w.relation) and g.tgname = t.name
    where w.plan = plan.name and w.captured_at is not null and pg_catalog.to_regclass(w.relation) is not null
  ), findings as (
    select distinct format('imago_undo.%I', j.undo_table) as object, format('is missing: what was written to %s cannot be taken back', j.relation) as message,
      'Restore from a backup if you need the way back.' as hint
    from journal j where pg_catalog.to_regclass(format('imago_undo.%I', j.undo_table)) is null
    union all
    select format('trigger %I on %s', j.trigger_name, j.relation),
      case when j.tgenabled is null then 'is missing: batches write without a journal' else 'is disabled: batches write without a journal' end,
      case when j.tgenabled is null then 'Pause the migration; roll back and start again to have it installed anew.'
        else format('alter table %s enable trigger %I;', j.relation, j.trigger_name) end
    from journal j where j.tgenabled is null or j.tgenabled = 'D'
  )
  select jsonb_build_object('findings', coalesce((select jsonb_agg(to_jsonb(f) order by f.object) from findings f), '[]'),
    'facts', jsonb_build_object('undo_tables', (select count(distinct j.undo_table) from journal j)))
$$;
comment on function imago.check_undo_journal(imago.plan) is 'Check: undo tables and capture triggers that are missing or disabled.';

create or replace function imago.check_app_triggers(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  with triggers as (
    select t.tgrelid::pg_catalog.regclass::text as relation, t.tgname,
      concat_ws(' or ', case when t.tgtype & 4 > 0 then 'insert' end, case when t.tgtype & 16 > 0 then 'update' end, case when d.deletes and t.tgtype & 8 > 0 then 'delete' end) as events,
      case when t.tgtype & 1 > 0 then 'each row' else 'each statement' end as level,
      t.tgfoid::pg_catalog.regproc::text as routine, imago.outside_calls(t.tgfoid) as calls,
      exists (select from imago.guard_triggers(plan) g where g.object = format('trigger %I on %s', t.tgname, t.tgrelid::pg_catalog.regclass)) as guards,
      -- A trigger before the write that only sets columns of its own row does nothing else; updated_at is kept as it was.
      t.tgtype & 3 = 3 and t.tgtype & 8 = 0 and p.prolang in (select l.oid from pg_catalog.pg_language l where l.lanname = 'plpgsql')
        and p.prosrc !~* '\m(insert|update|delete|merge|perform|execute|select|call|notify|raise)\M' as own_row_only
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    cross join lateral (
      select exists (
        select from imago.plan_write w cross join lateral imago.written_tables(w.relation) r
        where w.plan = plan.name and w.deletes and r = t.tgrelid) as deletes) d
    where t.tgrelid in (select w from imago.plan_relations(plan) r cross join lateral imago.written_tables(r::text) w)
      and t.tgparentid = 0 and not t.tgisinternal and t.tgenabled <> 'D' and (t.tgtype & 20 > 0 or d.deletes and t.tgtype & 8 > 0) and not imago.is_ours(t.tgfoid)
  )
  select jsonb_build_object(
    'findings', coalesce(jsonb_agg(jsonb_build_object(
      'object', format('trigger %I on %s', tgname, relation),
      'message', format('calls %s for %s on %s%s', routine, level, events,
        case when calls not in ('{}', array[routine]) then format(', and by it to the outside: %s', array_to_string(calls, ', ')) end),
      'hint', case when guards then 'It raises exceptions: a dry run shows which entities it refuses. ' else '' end
        || 'Side effects stay after a rollback; see triggers and side_effects of a dry run.') order by relation, tgname) filter (where not own_row_only), '[]'),
    'facts', jsonb_build_object('triggers', count(*), 'own_row_only', count(*) filter (where own_row_only),
      'moved_columns', coalesce((select jsonb_agg(distinct m.object order by m.object) from imago.moved_columns(plan) m), '[]')))
  from triggers
$$;
comment on function imago.check_app_triggers(imago.plan) is 'Check: triggers of the app that fire on what the plan writes. Not those that only set columns of their own row.';

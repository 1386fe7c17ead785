create or replace function imago.capture_problems(plan text)
returns table (relation text, kind text, object text, message text, hint text)
language sql
stable
set search_path = ''
as $$
  with writes as (
    select w.*, pg_catalog.to_regclass(w.relation) as oid
    from imago.plan_write w
    where w.plan = capture_problems.plan and w.captured_at is not null
  ), walked as (
    select o.relation, t.oid as table_oid, 'walk' as kind, imago.trigger_name(p.name, 'walk') as name,
      format('imago_undo.%I()', imago.walk_function(p.name, o.stage)) as routine
    from imago.plan p
    cross join lateral imago.walked_only(p.name) o
    cross join lateral imago.written_tables(o.relation) t(oid)
    where p.name = capture_problems.plan and p.prepared_at is not null and p.closed_at is null
  ), wanted as (
    select w.relation, t.oid as table_oid, k.kind, imago.trigger_name(w.plan, k.kind) as name,
      case k.kind when 'guard' then 'imago.drop_forged_batch()' else format('imago_undo.%I()', w.undo_table || '_' || k.kind) end as routine
    from writes w
    cross join lateral (select w.oid union select o from imago.written_tables(w.relation) o) t(oid)
    cross join lateral unnest(array['guard', 'update', 'insert', 'delete', 'note', 'keep', 'give', 'same']) k(kind)
    where w.oid is not null
      and (k.kind <> 'insert' or w.inserts)
      and (k.kind not in ('delete', 'give', 'same') or w.deletes)
      -- Row triggers: PostgreSQL has the partitions follow by itself.
      and (k.kind not in ('note', 'keep', 'give', 'same') or w.kept_at is not null and t.oid = w.oid)
    union all
    select * from walked
  )
  select w.relation, 'no_table', w.relation, 'there is no such table any more', 'Rename it back, or restore it.'
  from writes w where w.oid is null
  union all
  select w.relation, 'no_journal', format('imago_undo.%I', w.undo_table), format('is missing: what was written to %s cannot be taken back', w.relation),
    'Restore from a backup if you need the way back.'
  from writes w where pg_catalog.to_regclass(format('imago_undo.%I', w.undo_table)) is null
  union all
  select w.relation, 'trigger', format('trigger %I on %s', coalesce(g.tgname, w.name), w.table_oid::pg_catalog.regclass),
    case when g.oid is null then 'is missing: the table was replaced, the partition came later, or somebody dropped it'
      else format('%s: %s', case when g.tgenabled = 'D' then 'is disabled' else 'fires for replicas only' end,
        case when w.kind = 'walk' then 'the journal does not follow keys that the app changes' else 'batches write without a journal' end) end,
    case when g.oid is null then 'Pause the migration; roll back and start again to have it installed again.'
      else format('alter table %s enable trigger %I;', w.table_oid::pg_catalog.regclass, g.tgname) end
  from wanted w
  left join pg_catalog.pg_trigger g on g.tgrelid = w.table_oid and g.tgfoid = pg_catalog.to_regprocedure(w.routine)
    and (w.kind <> 'guard' or g.tgname = w.name)
  where g.oid is null or g.tgenabled not in ('O', 'A')
  union all
  select w.relation, 'function', w.routine, 'was replaced by somebody: it journals nothing', 'Pause the migration; roll back and start again to have it installed again.'
  from (select distinct w.relation, w.kind, w.routine from wanted w) w
  join pg_catalog.pg_proc p on p.oid = pg_catalog.to_regprocedure(w.routine)
  where w.kind in ('update', 'insert', 'delete') and strpos(p.prosrc, '_seen') = 0
  union all
  select w.relation, 'rule', format('rule %I on %s', r.rulename, w.relation), 'is done instead of, or beside, what batches write: no trigger sees that',
    format('drop rule %I on %s; or alter table %s disable rule %I;', r.rulename, w.relation, w.relation, r.rulename)
  from writes w join pg_catalog.pg_rewrite r on r.ev_class = w.oid and r.ev_type in ('2', '3', '4') and r.ev_enabled <> 'D'
  union all
  select w.relation, 'replica', 'session_replication_role', 'is replica: no trigger fires', 'set session_replication_role = origin;'
  from writes w where current_setting('session_replication_role') = 'replica'
  union all
  select l.relation, 'lost_keys', l.relation, format('the app has changed keys of it in a way that the journal could not follow (%s)',
      case when bool_or(l.entity is null) then 'of any entity' else format('%s, such as %s', count(*), min(l.entity)) end),
    'Rows that a rollback does not find are conflicts then. Look what keys_lost in the log says.'
  from imago.lost_row l where l.plan = capture_problems.plan
  group by l.relation
$$;
comment on function imago.capture_problems(text) is 'Why rows that a plan writes would miss the journal. Triggers are missing or off, by what they call and their state; rules; the session''s role for replication; keys that got lost.';

create or replace function imago.foreign_notes(plan imago.plan)
returns setof imago.problem
language plpgsql
stable
set search_path = ''
as $$
#variable_conflict use_column
declare
  found record;
begin
  for found in
    select r.relation, bool_or(r.is_walked) as is_walked, bool_or(r.is_synced) as is_synced, bool_or(r.finds_new) as finds_new,
      imago.may_follow(r.relation) as may_follow, imago.may_lock(r.relation) as may_lock, c.relowner::pg_catalog.regrole::text as owner
    from (
      select s.source as relation, true as is_walked, false as is_synced, false as finds_new from imago.plan_stages(plan) s
      union all
      select s.relation, false, true, s.creates and 'insert' = any (s.events) from imago.plan_sync s where s.plan = foreign_notes.plan.name
    ) r
    join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(r.relation) and not pg_catalog.pg_has_role(c.relowner, 'usage')
    group by r.relation, c.relowner
    order by r.relation
  loop
    return query select 'notice', 'foreign_source', found.relation,
      format('belongs to %s: it is read and never written%s', found.owner, case
        when found.is_walked then case when found.finds_new and found.may_follow then '; new rows are found at once, by a trigger'
          else '; new rows are found by the late pass, and after the run by the next one' end else '' end),
      case when found.may_follow then 'Triggers that the plan has there go when it is rolled back or finalized.'
        else 'It gets no trigger. Where a key of it changes, a rollback does not find what belongs to it.' end;
    if found.is_synced and not found.may_follow then
      return query select 'warning', 'limitation', found.relation, format('gets no trigger: %s has no right to', current_user),
        format('What is written there waits for the next run; finalize refuses while anything is pending. Or, as %s: grant trigger on %s to %I;',
          found.owner, found.relation, current_user);
    end if;
    if found.is_walked and not found.may_lock then
      return query select 'warning', 'limitation', found.relation, format('cannot be locked row by row: %s has no right to update it', current_user),
        format('One call at a time moves something, however many workers there are; and of rows that are deleted meanwhile only foreign keys know. Or, as %s: grant update on %s to %I;',
          found.owner, found.relation, current_user);
    end if;
  end loop;
end
$$;
comment on function imago.foreign_notes(imago.plan) is 'What holds for tables that a plan walks or follows and that are not ours: what finds new rows, and what we may not do.';

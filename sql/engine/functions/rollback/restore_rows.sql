create or replace function imago.restore_rows(run imago.run, plan imago.plan, keys anyarray, careful boolean, behind_return boolean, out counts jsonb, out journaled jsonb)
language plpgsql
volatile
set search_path = ''
-- By key, each of them: a join that reads the whole table through its index looks as cheap to the planner and grows with it.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  write imago.plan_write;
  expected imago.way_back;
  restored imago.way_back;
  again imago.way_back;
  query text;
  same_row text;
  missed boolean;
  path constant text := imago.app_search_path();
begin
  counts := '{}';
  journaled := '{}';
  for write in
    select w.* from imago.stage_writes(plan) w
    where w.columns <> '{}'
      and case behind_return when true then w.deletes or imago.awaits_return(w) when false then not imago.awaits_return(w) else true end
    order by w.position desc
  loop
    expected := imago.go_back(write, 'look', keys);
    journaled := journaled || jsonb_build_object(write.relation, expected.rows);
    query := null;
    if expected.again then
      select u.query, u.row_count into query, expected.rows from imago.undo_rows(write, plan, keys) u;
      restored := imago.restore_write(write, query, keys, run.force, path);
    else
      restored := imago.go_back(write, 'restore', keys, run.force, path);
    end if;
    if restored.moved then
      raise exception using errcode = 'IM072', message = 'a primary key was changed', table = write.relation;
    end if;
    if restored.altered then
      perform imago.raise_kept(imago.find_kept(plan, keys::text[], removing => false));
    end if;
    -- Rows that are gone, or were back already, are fine. One that still differs was changed by somebody: after the check, if there was one.
    if restored.rows < expected.rows then
      query := coalesce(query, (select u.query from imago.undo_rows(write, plan, keys) u));
      same_row := imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and ');
      execute format('select exists (select from (%s) j join %s t on %s where %s)%s', query, write.relation, same_row,
          imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or '),
          -- It may be another entity that has it deleted.
          case when write.deletes and behind_return and not careful then
            format(' or exists (select from (%s) j where not exists (select from %s t where %s))', query, write.relation, same_row) else '' end)
        into missed using keys;
      if missed then
        if careful then
          -- Somebody may have given a row another key when it had its turn. A trigger that keeps one does so again.
          again := imago.restore_write(write, query, keys, run.force, path);
          perform imago.raise_kept(k) from imago.find_unrestored(write, plan, keys::text[], run.force) k where k <> '[]' and again.rows = 0;
        end if;
        raise exception using errcode = case when careful then '40001' else '40IM1' end, message = 'a row changed while its entity was going back', table = write.relation;
      end if;
    end if;
    counts := counts || jsonb_build_object(write.relation, restored.rows);
  end loop;
end
$$;
comment on function imago.restore_rows(imago.run, imago.plan, anyarray, boolean, boolean) is 'Puts the declared columns of these entities back to what they were before the first batch; counts by relation. behind_return: those that refer to deleted rows, once these are back, or (false) the others before that; null: all. journaled: how many rows of the journal that came from.';

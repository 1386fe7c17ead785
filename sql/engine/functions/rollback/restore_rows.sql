create or replace function imago.restore_rows(run imago.run, plan imago.plan, keys anyarray, careful boolean, out counts jsonb, out journaled jsonb)
language plpgsql
volatile
set search_path = ''
-- By key, each of them: a join that reads the whole table through its index looks as cheap to the planner and grows with it.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  write imago.plan_write;
  expected record;
  restored bigint;
  again bigint;
  statement text;
  join_key text;
  changed text;
  altered boolean;
  moved boolean;
  missed boolean;
begin
  counts := '{}';
  journaled := '{}';
  for write in
    select w.* from imago.stage_writes(plan) w where w.columns <> '{}' order by w.position desc
  loop
    select u.* into expected from imago.undo_rows(write, plan, keys) u;
    journaled := journaled || jsonb_build_object(write.relation, expected.journaled);
    join_key := imago.each_column('t.%2$I = j.key_%1$s::%3$s', write.relation, write.key_columns, ' and ');
    changed := imago.each_column('t.%2$I::%5$s is distinct from j.before_%1$s::%5$s', write.relation, write.columns, ' or ');
    statement := format(
      'with done as (update %2$s t set %3$s from (%1$s) j where %4$s and (%5$s) and (%6$s) returning %5$s as is_altered, not (%4$s) as is_moved)
       select count(*), coalesce(bool_or(d.is_altered), false), coalesce(bool_or(d.is_moved), false) from done d',
      expected.query, write.relation,
      imago.each_column('%2$I = j.before_%1$s::%3$s', write.relation, write.columns), join_key, changed,
      case when run.force then 'true'
        else imago.each_column('t.%2$I::%5$s is not distinct from j.after_%1$s::%5$s', write.relation, write.columns, ' and ') end);
    perform set_config('search_path', imago.app_search_path(), true);
    execute statement into restored, altered, moved using keys;
    perform pg_catalog.set_config('search_path', '', true);
    if moved then
      raise exception using errcode = 'IM072', message = 'a primary key was changed', table = write.relation;
    end if;
    if altered then
      perform imago.raise_kept(imago.find_kept(plan, keys::text[], removing => false));
    end if;
    -- Rows that are gone, or were back already, are fine. One that still differs was changed by somebody: after the check, if there was one.
    if restored < expected.row_count then
      execute format('select exists (select from (%s) j join %s t on %s where %s)', expected.query, write.relation, join_key, changed)
        into missed using keys;
      if missed then
        if careful then
          -- Somebody may have given a row another key when it had its turn. A trigger that keeps one does so again.
          perform set_config('search_path', imago.app_search_path(), true);
          execute statement into again, altered using keys;
          perform pg_catalog.set_config('search_path', '', true);
          perform imago.raise_kept(k) from imago.find_unrestored(write, plan, keys::text[], run.force) k where k <> '[]' and again = 0;
        end if;
        raise exception using errcode = case when careful then '40001' else '40IM1' end, message = 'a row changed while its entity was going back', table = write.relation;
      end if;
    end if;
    counts := counts || jsonb_build_object(write.relation, restored);
  end loop;
end
$$;
comment on function imago.restore_rows(imago.run, imago.plan, anyarray, boolean) is 'Puts the declared columns of these entities back to what they were before the first batch; counts by relation. journaled: how many rows of the journal that came from.';

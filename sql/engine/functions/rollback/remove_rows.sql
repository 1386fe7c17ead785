create or replace function imago.remove_rows(plan imago.plan, keys anyarray, careful boolean, first boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  write imago.plan_write;
  reference record;
  counts jsonb := '{}';
  affected bigint;
  inserted text;
  nulling text[];
  updated bigint;
  path constant text := imago.app_search_path();
begin
  for write in
    select w.* from imago.stage_writes(plan) w where w.inserts and (first is null or first = imago.goes_first(w)) order by w.position desc
  loop
    if not careful then
      nulling := imago.expect_unreferenced(plan, write, keys);
      updated := imago.rows_updated(nulling);
    end if;
    for reference in select p.* from imago.referencing_columns(plan.name, write.relation) p where careful and (p.pointing).id is not null and plan.stage > 0 loop
      inserted := format(
        '(select %s from imago_undo.%I j where j.entity = any %s and j.op = ''i'')',
        imago.each_column('j.key_%1$s::%3$s', write.relation, write.key_columns), write.undo_table, imago.keys_sql(plan));
      perform set_config('search_path', path, true);
      execute format('update %1$s r set %2$I = null where r.%2$I = any (array%3$s)', reference.relation, reference.columns[1], inserted) using keys;
      get diagnostics affected = row_count;
      perform pg_catalog.set_config('search_path', '', true);
      counts := imago.add_counts(counts, jsonb_build_object(reference.relation || ':detached', affected));
    end loop;
    affected := (imago.go_back(write, 'remove', keys, path => path)).rows;
    counts := counts || jsonb_build_object(write.relation || ':removed', affected);
    if not careful and imago.rows_updated(nulling) > updated then
      raise exception using errcode = '40IM1', message = 'an inserted row was referenced', table = write.relation;
    end if;
  end loop;
  return counts;
end
$$;
comment on function imago.remove_rows(imago.plan, anyarray, boolean, boolean) is 'Removes the inserted rows of these entities; counts by relation. What the app pointed at them is detached before. first: those that make room for deleted ones, or (false) the others; null: all.';

create or replace function imago.expect_nothing_deleted(plan text, batch bigint, before jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  after constant jsonb := imago.deleted_rows(plan);
  write imago.plan_write;
  deleted bigint;
  inserted bigint;
  left_over bigint;
begin
  if after = before then
    return;
  end if;
  for write in select w.* from imago.plan_write w where w.plan = expect_nothing_deleted.plan and w.captured_at is not null loop
    deleted := (after -> write.relation ->> 'deleted')::bigint - (before -> write.relation ->> 'deleted')::bigint;
    inserted := (after -> write.relation ->> 'inserted')::bigint - (before -> write.relation ->> 'inserted')::bigint;
    -- Counters fall where the table was truncated.
    -- What is declared is captured, and was compared as what else is written.
    continue when deleted = 0 and inserted >= 0 or write.deletes and deleted >= 0 and inserted >= 0;
    left_over := 0;
    if write.inserts then
      execute format(
        'select count(*) from (select distinct %1$s from imago_undo.%2$I u where u.batch = $1 and u.op = ''i'') u join %3$s t on %4$s',
        imago.each_column('u.key_%1$s', write.relation, write.key_columns), write.undo_table, write.relation,
        imago.each_column('t.%2$I = u.key_%1$s::%3$s', write.relation, write.key_columns, ' and '))
      into left_over using batch;
    elsif not exists (select from pg_catalog.pg_class c where c.oid = pg_catalog.to_regclass(write.relation) and c.relkind = 'p') then
      -- What triggers insert where the plan inserts nothing makes up for nothing.
      inserted := 0;
    end if;
    -- Rows that this batch has inserted may go again, and one that moves to another partition is deleted and inserted.
    if inserted < 0 or deleted < 0 or deleted > inserted - left_over then
      raise exception using errcode = 'IM072', message = 'rows were deleted that cannot be brought back', table = write.relation;
    end if;
  end loop;
end
$$;
comment on function imago.expect_nothing_deleted(text, bigint, jsonb) is 'Raises IM072 when a batch deleted rows of a declared relation that it had not inserted itself. Or what it has set off in the app. Where the plan declares to delete, that is fine.';

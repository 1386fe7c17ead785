create or replace function imago.sync_journal_updates(sync imago.plan_sync)
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write;
  mirrored text[];
  same_key text;
  journaled text;
  prints text;
  afters text;
  queries text[] := '{}';
begin
  select w.* into write from imago.plan_write w
  where w.plan = sync.plan and w.undo_table is not null and w.relation::pg_catalog.regclass = sync.relation::pg_catalog.regclass;
  if not found or sync.direction = 'forward' then
    return queries;
  end if;
  same_key := imago.each_column('o.%2$I = n.%2$I', write.relation, write.key_columns, ' and ');
  journaled := imago.each_column('j.key_%1$s = n.%2$I::%4$s', write.relation, write.key_columns, ' and ');

  -- What tells when a row was changed changes with what is mirrored.
  select array_agg(c) into mirrored
  from unnest(imago.stored_columns(sync.relation)) c
  where sync.columns is null or c = any (sync.columns)
    or c in (select m.name from imago.journal_columns(sync.relation, imago.stored_columns(sync.relation)) m
             where m.type like 'timestamp%' and m.name ~* '(updated|modified|changed)');
  if write.inserts then
    -- The print that the row would have if nothing but the mirrored columns had changed: any other edit shows, in the same
    -- statement, too. A row that was edited before keeps the print that says so.
    select string_agg(imago.fingerprint_part(case when c = any (mirrored) then 'n' else 'o' end, c), ', ' order by k) into prints
    from unnest(write.inserted_columns) with ordinality u(c, k);
    queries := queries || imago.sync_query(sync, 'update', format(
      'update imago_undo.%1$I j set print = array[%2$s]::integer[]
       from old_rows o join new_rows n on %3$s
       where j.entity in (%8$s, %4$s) and j.op = ''i'' and %5$s and %7$s is not distinct from %6$s',
      write.undo_table, prints, same_key, imago.entity_sql(write, 'n'), journaled, imago.fingerprint('o', write.inserted_columns),
      imago.journaled_print(write, 'j'), imago.entity_sql(write, 'o')));
  end if;
  select string_agg(format(
      'after_%1$s = case when j.after_%1$s::%3$s is not distinct from o.%2$I::%3$s then n.%2$I::%4$s else j.after_%1$s end',
      c.ordinal, c.name, case when c.comparable then c.kept else 'text collate "C"' end, c.kept), ', ') into afters
  from imago.journal_columns(write.relation, write.columns) c
  where c.name = any (mirrored);
  if afters is not null then
    queries := queries || imago.sync_query(sync, 'update', format(
      'update imago_undo.%1$I j set %2$s from old_rows o join new_rows n on %3$s
       where j.entity = %4$s and j.op = ''u'' and %5$s',
      write.undo_table, afters, same_key, imago.entity_sql(write, 'n'), journaled));
  end if;
  return queries;
end
$$;
comment on function imago.sync_journal_updates(imago.plan_sync) is 'SQL that moves the journal of the relation along with an update of the app. That is, for what is mirrored back, what the row holds now.';

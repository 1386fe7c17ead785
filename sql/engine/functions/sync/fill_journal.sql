create or replace function imago.fill_journal(sync imago.plan_sync, condition text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  write imago.plan_write;
begin
  select w.* into strict write from imago.plan_write w
  where w.plan = sync.plan and w.relation::pg_catalog.regclass = sync.relation::pg_catalog.regclass;
  -- Nobody else has seen these rows. Before, they held nothing, and their batch ends as it begins.
  return format(
    'with opened as (
       insert into imago.batch (run, plan, direction, path, journaled, size, ms)
       select r.id, %1$L, ''forward'', ''sync'', true, z.size, 0
       from (select f.id, f.backup from imago.run f
             where f.plan = %1$L and f.direction = ''forward'' and f.validation is null and f.started_at is not null
             order by f.id desc limit 1) r
       cross join (select count(distinct n.%2$I) as size from imago_new n where %3$s) z
       where r.backup and z.size > 0
       returning id)
     insert into imago_undo.%4$I (batch, entity, op, %5$s, %6$s, %7$s)
     select opened.id, %8$s, ''u'', %9$s, %10$s, %11$s from opened cross join imago_new n where %3$s',
    sync.plan, sync.entity_column, condition, write.undo_table,
    imago.each_column('key_%1$s', write.relation, write.key_columns),
    imago.each_column('before_%1$s', write.relation, write.columns),
    imago.each_column('after_%1$s', write.relation, write.columns),
    imago.owner_sql(write, 'n'),
    imago.each_column('n.%2$I::%4$s', write.relation, write.key_columns),
    (select string_agg(case c.name when sync.fills then 'null' else format('n.%I::%s', c.name, c.kept) end, ', ' order by c.ordinal)
     from imago.journal_columns(write.relation, write.columns) c),
    imago.each_column('n.%2$I::%4$s', write.relation, write.columns));
end
$$;
comment on function imago.fill_journal(imago.plan_sync, text) is 'SQL: journals new rows that were filled before they were written, in a batch of their own under the newest forward run.';

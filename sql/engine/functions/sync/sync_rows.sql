create or replace function imago.sync_rows(sync imago.plan_sync, event text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  keys text[] := imago.primary_key(sync.relation);
  same text;
begin
  if event = 'update' then
    same := format('%s and %s',
      imago.each_column('o.%2$I = n.%2$I', sync.relation, keys, ' and '),
      imago.each_column('o.%2$I::%5$s is not distinct from n.%2$I::%5$s', sync.relation,
                      coalesce(sync.columns, imago.stored_columns(sync.relation)), ' and '));
  end if;
  return format(
    'new_rows as (select n.* from %s n where %s%s), old_rows as (select o.* from %s o where %s%s)',
    case event when 'delete' then 'imago_old' else 'imago_new' end,
    case event when 'update' then format('not exists (select from imago_old o where %s)', same)
      when 'delete' then 'false' else coalesce('n.' || quote_ident(sync.fills) || ' is null', 'true') end,
    imago.sync_not_held(sync, 'n'),
    case event when 'insert' then 'imago_new' else 'imago_old' end,
    case event when 'update' then format('not exists (select from imago_new n where %s)', same)
      when 'insert' then 'false' else 'true' end,
    imago.sync_not_held(sync, 'o'));
end
$$;
comment on function imago.sync_rows(imago.plan_sync, text) is 'SQL: new_rows and old_rows of one event as common table expressions over its transition tables. They hold the rows that count, without held entities where the sync creates.';

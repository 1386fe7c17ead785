create or replace function imago.direct_index(plan_name text, left_too boolean default true)
returns table (name text, statement text, relation text, invalid_index text, building boolean)
language plpgsql
stable
set search_path = ''
as $$
begin
  return query
  select u.object, format('create index concurrently %I on %s (%I) where %3$I is not null',
      imago.direct_index_name(u.piece, u.column_name), u.piece, u.column_name), u.piece, (
      -- An interrupted concurrent build leaves it.
      select x.oid::pg_catalog.regclass::text
      from pg_catalog.pg_index i join pg_catalog.pg_class x on x.oid = i.indexrelid
      where i.indrelid = pg_catalog.to_regclass(u.piece) and x.relname = imago.direct_index_name(u.piece, u.column_name) and not i.indisvalid),
    exists (
      select from pg_catalog.pg_stat_progress_create_index p
      where p.relid = pg_catalog.to_regclass(u.piece) and p.datname = current_database())
  from imago.missing_indexes(plan_name) u
  where case when u.is_left then left_too else not imago.fits_call(u.bytes, u.ms) end
  limit 1;
end
$$;
comment on function imago.direct_index(text, boolean) is 'The next index that a connection, or pg_cron, is to build for a plan. One that does not fit a call or, with left_too, was left by one; with what direct_step says of its statement.';

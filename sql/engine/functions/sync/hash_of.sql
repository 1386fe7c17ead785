create or replace function imago.hash_of(name text, type text, seed text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format(case
    when type = 'uuid' then 'pg_catalog.uuid_hash_extended(r.%1$I, %2$s)'
    when type in ('smallint', 'integer', 'bigint') then 'pg_catalog.hashint8extended(r.%1$I, %2$s)'
    else 'pg_catalog.hashtextextended(r.%1$I::text collate "C", %2$s)' end, name, seed)
$$;
comment on function imago.hash_of(text, text, text) is 'SQL: the hash of a column of a row called r, which differs with the seed.';

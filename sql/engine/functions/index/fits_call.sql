create or replace function imago.fits_call(bytes bigint, ms numeric)
returns boolean
language sql
stable
set search_path = ''
as $$
  select bytes < imago.setting_number('index_mb') * 1048576::bigint and ms <= imago.setting_number('hold_ms')
$$;
comment on function imago.fits_call(bigint, numeric) is 'Whether an index on a table of this size is built by a call, even while others write. Nobody is expected to wait for longer than hold_ms.';

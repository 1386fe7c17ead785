create or replace function imago.touch_columns(relation text, declared text[])
returns text[]
language sql
stable
set search_path = ''
as $$
  select coalesce(array_agg(a.attname::text order by a.attnum), '{}')
  from pg_catalog.pg_attribute a
  where a.attrelid = pg_catalog.to_regclass(relation)
    and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    and a.atttypid in ('timestamp'::pg_catalog.regtype, 'timestamptz'::pg_catalog.regtype)
    and a.attname ~* '(updated|modified|changed)'
    and a.attname <> all (declared)
    and exists (
      select from pg_catalog.pg_trigger t
      where t.tgrelid in (select w from imago.written_tables(touch_columns.relation) w) and not t.tgisinternal and not imago.is_ours(t.tgfoid)
        and t.tgtype & 1 = 1 and t.tgtype & 2 = 2 and t.tgtype & 16 = 16)
$$;
comment on function imago.touch_columns(text, text[]) is 'updated_at-like columns that a BEFORE UPDATE row trigger of the app may move; batches keep their old value.';

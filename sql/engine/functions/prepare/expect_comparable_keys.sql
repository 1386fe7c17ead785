create or replace function imago.expect_comparable_keys(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  integers constant text[] := array['smallint', 'integer', 'bigint'];
  staged imago.plan;
  entity record;
  fits boolean;
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    select pg_catalog.format_type(a.atttypid, a.atttypmod) as type, imago.journal_type(a.atttypid, -1) as base into entity
    from pg_catalog.pg_attribute a
    where a.attrelid = pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) and a.attname = 'entity';
    -- 5.0 equals 5, and is no integer when it is read as one.
    fits := case
      when imago.key_fields(staged.key_type) is not null then entity.type = staged.key_type
      else staged.key_type <> all (integers) or entity.base = any (integers) end;
    begin
      perform imago.pending_keys(staged, '{}') where fits;
    exception when undefined_function or datatype_mismatch then
      fits := false;
    end;
    if not fits then
      perform imago.raise_error('IM067', plan.name, imago.plan_object(staged, 'pending'), entity.type, staged.source, staged.key_type);
    end if;
  end loop;
end
$$;
comment on function imago.expect_comparable_keys(imago.plan) is 'Refuses a view pending whose entities can never equal a key of the source (IM067).';

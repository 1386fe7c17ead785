create or replace function imago.expect_comparable_keys(plan imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  staged imago.plan;
begin
  for staged in select s.* from imago.plan_stages(plan) s loop
    begin
      perform imago.pending_keys(staged, '{}');
    exception when undefined_function or datatype_mismatch then
      perform imago.raise_error('IM067', plan.name, imago.plan_object(staged, 'pending'), (
        select pg_catalog.format_type(a.atttypid, a.atttypmod) from pg_catalog.pg_attribute a
        where a.attrelid = pg_catalog.to_regclass(imago.plan_object(staged, 'pending')) and a.attname = 'entity'),
        staged.source, staged.key_type);
    end;
  end loop;
end
$$;
comment on function imago.expect_comparable_keys(imago.plan) is 'Refuses a view pending whose entities can never equal a key of the source (IM067).';

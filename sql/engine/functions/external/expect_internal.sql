create or replace function imago.expect_internal(staged imago.plan)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if staged.external then
    perform imago.raise_error('IM094', staged.name, staged.stage::text);
  end if;
end
$$;
comment on function imago.expect_internal(imago.plan) is 'Refuses to have SQL move entities of a stage that is done outside (IM094).';

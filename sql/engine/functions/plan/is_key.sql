create or replace function imago.is_key(plan imago.plan, entity text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
  perform imago.canonical_key(plan, entity);
  return true;
exception when data_exception then
  return false;
end
$$;
comment on function imago.is_key(imago.plan, text) is 'Whether this can be a key of the walked table at all: a number may be too large for it.';

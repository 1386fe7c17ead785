create or replace function imago.raise_kept(kept jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  raise exception using
    errcode = 'IM061', message = 'a row is not as it was put back', table = kept -> 0 ->> 'relation',
    detail = (select jsonb_agg(distinct k -> 'entity') from jsonb_array_elements(kept) k)::text;
end
$$;
comment on function imago.raise_kept(jsonb) is 'Raises IM061 for rows (entity, relation, row_key) that did not go back. A trigger or rule of the app kept them, or changed them again.';

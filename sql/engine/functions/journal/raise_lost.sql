create or replace function imago.raise_lost(plan_name text, lost jsonb)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if lost is null then
    return;
  end if;
  perform imago.raise_error('IM076', plan_name,
    (select string_agg(format('%s%s %s', l ->> 'relation', '.' || quote_ident(l ->> 'name'), l ->> 'reason'), '; ') from jsonb_array_elements(lost) l),
    concat_ws(', ', quote_literal(plan_name), quote_literal(lost -> 0 ->> 'relation'), quote_literal(lost -> 0 ->> 'name')));
end
$$;
comment on function imago.raise_lost(text, jsonb) is 'Raises IM076 for tables and columns (relation, name, reason) that a plan needs and that are lost. Nothing where there is none.';

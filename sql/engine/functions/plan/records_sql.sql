create or replace function imago.records_sql(plan imago.plan)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
  -- With an offset, so that a text is read once, and not for each field.
  return format('(select u.key, u.key::%s as record, u.n from unnest($1::text[]) with ordinality u(key, n) offset 0)', plan.key_type);
end
$$;
comment on function imago.records_sql(imago.plan) is 'SQL: the keys $1 of several columns: key, the text, with record, what it says, and n, its place.';

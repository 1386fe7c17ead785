create or replace function imago.expect_visible(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  hidden text;
begin
  -- Two looks at each call: the role is asked for less than each of its tables.
  if exists (select from pg_catalog.pg_roles r where r.rolname = current_user and (r.rolbypassrls or r.rolsuper)) then
    return;
  end if;
  hidden := (select string_agg(h::text, ', ' order by h::text) from imago.hidden_relations(imago.find_plan(plan_name)) h);
  if hidden is not null then
    perform imago.raise_error('IM078', hidden, quote_ident(current_user));
  end if;
end
$$;
comment on function imago.expect_visible(text) is 'Refuses (IM078) while row level security hides rows of a plan''s tables. What is not seen would count as moved, or as back.';

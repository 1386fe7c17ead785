create or replace function imago.expect_visible(plan_name text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  hidden text := (select string_agg(h::text, ', ' order by h::text) from imago.hidden_relations(imago.find_plan(plan_name)) h);
begin
  if hidden is not null then
    perform imago.raise_error('IM078', hidden, quote_ident(current_user));
  end if;
end
$$;
comment on function imago.expect_visible(text) is 'Refuses (IM078) while row level security hides rows of a plan''s tables. What is not seen would count as moved, or as back.';

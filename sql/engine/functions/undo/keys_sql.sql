create or replace function imago.keys_sql(plan imago.plan)
returns text
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    -- By way of a subquery: with thousands of values in sight the planner would look up each of them in its statistics, in every
    -- statement of a batch.
    select format('((select $1::%1$s[])::%1$s[])', imago.kept_type(plan)));
end
$$;
comment on function imago.keys_sql(imago.plan) is 'SQL for the keys $1 of a batch, an array of the plan''s key type, as what stands after = any.';

create or replace function imago.in_cohort(staged imago.plan, keys text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
declare
  condition constant text := imago.cohort_sql(staged, 'k.key');
begin
  if condition = 'true' or keys = '{}' then
    return keys;
  end if;
  return array(select jsonb_array_elements_text(imago.ask_plan(staged.name, 'cohort', format(
    'select coalesce(jsonb_agg(%4$s order by k.n), ''[]'') from (select u.key::%2$s as key, u.n from unnest(%1$L::text[]) with ordinality u(key, n)) k where %3$s',
    keys, staged.key_type, condition, imago.text_of_key(staged.key_type, 'k.key')))));
end
$$;
comment on function imago.in_cohort(imago.plan, text[]) is 'Those of the keys that runs of a plan take, in their order; IM071 where a condition of a cohort cannot be evaluated.';

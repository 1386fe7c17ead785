create or replace function imago.validated_figures(plan imago.plan)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  return imago.plan_words(plan) || imago.figures(plan);
-- What cannot be counted is named by the checks.
exception when others or assert_failure then
  return null;
end
$$;
comment on function imago.validated_figures(imago.plan) is 'How far a plan is, for the answer of a validation; null where its tables or views cannot be read.';

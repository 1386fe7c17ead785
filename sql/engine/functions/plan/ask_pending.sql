create or replace function imago.ask_pending(plan imago.plan, question text)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select imago.ask_plan(plan.name, 'view ' || imago.plan_object(plan, 'pending'), question)
$$;
comment on function imago.ask_pending(imago.plan, text) is 'Asks the view pending of a stage something, outside of a batch: one value, or IM071.';

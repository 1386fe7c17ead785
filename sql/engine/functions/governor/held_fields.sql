create or replace function imago.held_fields(plan imago.plan)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  governor imago.governor := imago.look(plan, imago.unfinished_run(plan.name), holds_rows => false);
begin
  -- Hours are for what moves entities: who looks, or finalizes, does so by hand.
  if governor.share > 0 or not exists (select from imago.reading r where r.plan = plan.name and r.holds and r.signal <> 'hours') then
    return null;
  end if;
  return jsonb_build_object(
    'has_more', true, 'reason', imago.hold_reason(plan.name), 'retry_after_ms', imago.wait_ms(governor), 'health', imago.health_json(plan.name));
end
$$;
comment on function imago.held_fields(imago.plan) is 'Fields of an answer with the status waiting, for calls that are no batches; null where the server''s health allows them.';

create or replace function staging_to_production.look_at_statuses(plan imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'findings', coalesce(jsonb_agg(jsonb_build_object(
      'object', 'public."Booking".status', 'message', format('%s bookings hold ''%s'', which is no status', v.bookings, v.value),
      'hint', 'They become SCHEDULED. Change them before, if that is not what they mean.')) filter (where v.lost), '[]'),
    'facts', coalesce(jsonb_object_agg(v.value, v.bookings), '{}'))
  from (
    select s.*, s.becomes = 'SCHEDULED' and upper(s.value) <> 'SCHEDULED' as lost from staging_to_production.status_values() s
  ) v
$$;
comment on function staging_to_production.look_at_statuses(imago.plan) is 'Check: statuses that are none and become SCHEDULED, value by value. Facts count all values.';

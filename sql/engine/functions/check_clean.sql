create or replace function imago.check_clean(plan_name text, max_ms integer, since timestamptz default null)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select jsonb_build_object(
    'has_more', answer -> 'has_more', 'percentage', answer -> 'percentage', 'clean', answer -> 'healthy',
    'failing', (
      select coalesce(jsonb_agg(jsonb_build_object('name', c ->> 'name', 'found', c -> 'left', 'keys', c -> 'keys', 'error', c #> '{error,code}')), '[]')
      from jsonb_array_elements(answer -> 'checks') c
      where c ->> 'severity' = 'error' and (c ->> 'left')::bigint > 0 or c -> 'error' <> 'null'))
  from imago.validate(plan_name, true, false, max_ms, false, since) answer
$$;
comment on function imago.check_clean(text, integer, timestamptz) is 'For steps that depend on the checks: one call''s worth of the same validation. Call until has_more is false; clean then says whether no check of severity error fails, failing names those. since: what was counted before is counted again.';

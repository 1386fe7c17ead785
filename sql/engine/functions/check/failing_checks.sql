create or replace function imago.failing_checks(validation_id bigint)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'name', c.name, 'severity', c.severity, 'found', i.found, 'held', imago.held_findings(c, i.found), 'keys', case when c.routine is null then to_jsonb(i.keys) else jsonb_path_query_array(i.findings, '$[0 to 9].object') end,
      'partial', not i.done or i.error is not null, 'error', i.error ->> 'code')
    || case when c.routine is null then '{}' else jsonb_build_object('hints', jsonb_path_query_array(i.findings, '$[0 to 2].hint')) end order by i.position), '[]')
  from imago.validation_check i
  join imago.plan_check c on c.id = i.plan_check
  where i.validation = validation_id and c.severity = 'error' and (i.found > 0 or i.error is not null)
$$;
comment on function imago.failing_checks(bigint) is 'The checks of severity error that have found something so far, or cannot be evaluated. Names, counts and some keys; of a check that looks, objects and hints. held: what is found of entities that somebody has taken back alone, on purpose.';

create or replace function imago.cohort_text(cohort imago.cohort_taken)
returns text
language sql
immutable
set search_path = ''
as $$
  select case when cohort.plan is null or cohort.percent = 100 then 'all' else concat_ws(', ',
    case when cohort.percent > 0 then trim_scale(cohort.percent) || ' %' end,
    case when cohort.keys <> '{}' then cardinality(cohort.keys) || ' by key' end,
    nullif(array_to_string(cohort.names, ', '), '')) end
$$;
comment on function imago.cohort_text(imago.cohort_taken) is 'A cohort for people, without its keys; all where there is none.';

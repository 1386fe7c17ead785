create or replace function imago.read_cohort(plan imago.plan, cohort jsonb)
returns imago.cohort_taken
language plpgsql
stable
set search_path = ''
as $$
declare
  wanted imago.cohort_taken;
  walked constant imago.plan := imago.plan_at_stage(plan, imago.first_walked(plan));
  key_type constant text := coalesce(walked.key_type, imago.found_key_type(walked));
  most constant integer := 10000;
begin
  -- Some clients send an object as its text.
  if jsonb_typeof(cohort) = 'string' then
    begin
      cohort := (cohort #>> '{}')::jsonb;
    exception when data_exception then
      null;
    end;
  end if;
  if jsonb_typeof(cohort) <> 'object' or cohort = '{}' or cohort - '{percent,keys,names}'::text[] <> '{}' then
    perform imago.raise_error('IM015', 'cohort', left(cohort::text, 60), 'an object with percent, keys or names');
  end if;
  if jsonb_typeof(cohort -> 'percent') <> 'number' or (cohort ->> 'percent')::numeric not between 0.0001 and 100
     or (cohort ->> 'percent')::numeric <> round((cohort ->> 'percent')::numeric, 4) then
    perform imago.raise_error('IM015', 'percent', left(cohort ->> 'percent', 60), 'a number from 0.0001 to 100, with up to four decimals');
  end if;
  if cohort ? 'keys' and (jsonb_typeof(cohort -> 'keys') <> 'array' or jsonb_array_length(cohort -> 'keys') not between 1 and most
     or exists (select from jsonb_array_elements(cohort -> 'keys') k where jsonb_typeof(k) not in ('string', 'number'))) then
    perform imago.raise_error('IM015', 'keys', left(cohort ->> 'keys', 60), format('a list of 1 to %s keys', most));
  end if;
  if cohort ? 'names' and (jsonb_typeof(cohort -> 'names') <> 'array' or cohort -> 'names' = '[]' or exists (
       select from jsonb_array_elements(cohort -> 'names') n
       where jsonb_typeof(n) <> 'string' or not exists (
         select from imago.plan_cohort c where c.plan = read_cohort.plan.name and to_jsonb(c.name) = n and c.stage in (select s.stage from imago.plan_stages(read_cohort.plan) s)))) then
    perform imago.raise_error('IM015', 'names', left(cohort ->> 'names', 60), format('a list of cohorts of plan %s: %s', plan.name,
      coalesce((select string_agg(distinct c.name, ', ' order by c.name) from imago.plan_cohort c where c.plan = read_cohort.plan.name), 'it has none')));
  end if;
  wanted.plan := plan.name;
  wanted.percent := trim_scale((cohort ->> 'percent')::numeric);
  wanted.names := array(select distinct jsonb_array_elements_text(cohort -> 'names') order by 1);
  wanted.keys := array(select distinct jsonb_array_elements_text(cohort -> 'keys') order by 1);
  if wanted.keys <> '{}' and key_type is not null then
    begin
      execute format('select array_agg(k order by k) from (select distinct %s from unnest($1) k) c(k)', imago.text_of_key(key_type, 'k::' || key_type))
      into wanted.keys using wanted.keys;
    exception when data_exception then
      perform imago.raise_error('IM015', 'keys', left(cohort ->> 'keys', 60), 'keys of the type ' || key_type);
    end;
  end if;
  return wanted;
end
$$;
comment on function imago.read_cohort(imago.plan, jsonb) is 'A cohort as a caller says it, with its keys as the journal writes them; IM015 where it makes no sense. A percentage of 100 means all, null that none was said.';

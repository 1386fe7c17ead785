create or replace function imago.ticks_budget(plan_name text)
returns integer
language sql
stable
set search_path = ''
as $$
  select greatest(imago.tick_budget(plan_name), (
    -- What a rate allows is one second's worth at most: a longer pause between two jobs would be lost to it.
    select 1000 * extract(epoch from i.every) - 500
    from imago.cron_intervals() i
    where i.schedule = imago.find_job(plan_name) ->> 'schedule'
      and exists (select from imago.throttle t where t.plan = plan_name and t.max_per_second is not null)))::integer
$$;
comment on function imago.ticks_budget(text) is 'Milliseconds for which the ticks of one job follow each other. As long as one may work or, where a rate lets them wait, nearly the whole interval.';

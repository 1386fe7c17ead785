create or replace function imago.tick_budget(plan_name text)
returns integer
language sql
stable
set search_path = ''
as $$
  select least(imago.setting_number('tick_ms'), 800 * extract(epoch from (
    select i.every from imago.cron_intervals() i where i.schedule = imago.find_job(plan_name) ->> 'schedule')))::integer
$$;
comment on function imago.tick_budget(text) is 'Milliseconds that a tick may work: most of its interval, at most tick_ms. A tick is one transaction and holds the rows that it moves.';

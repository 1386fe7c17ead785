create or replace function imago.index_way(run imago.run, relation text, bytes bigint, ms numeric)
returns text
language plpgsql
volatile
set search_path = ''
as $$
begin
  return case
    when imago.fits_call(bytes, ms) then 'call'
    when imago.is_builder_there(run.plan) then 'connection'
    when (imago.find_job(run.plan) ->> 'active')::boolean then 'job'
    when bytes >= imago.setting_number('index_mb') * 1048576::bigint then 'large'
    when imago.has_writers(run, relation) then 'written'
    else 'call'
  end;
end
$$;
comment on function imago.index_way(imago.run, text, bigint, numeric) is 'Who builds an index on a table of this size. call: this call, since writers wait for at most hold_ms or there are none; connection: a command over its database connection; job: pg_cron; large and written: a person, and why.';

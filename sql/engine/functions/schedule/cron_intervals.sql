create or replace function imago.cron_intervals()
returns table (every interval, label text, schedule text)
language sql
immutable
set search_path = ''
as $$
  -- Seconds as pg_cron knows them; in cron's own syntax only what divides an hour or a day comes at equal distances.
  select make_interval(secs => n), n || case n when 1 then ' second' else ' seconds' end, n || ' seconds'
  from generate_series(1, 59) n
  union all
  select make_interval(mins => n), n || case n when 1 then ' minute' else ' minutes' end,
    case n when 1 then '* * * * *' else format('*/%s * * * *', n) end
  from unnest(array[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30]) n
  union all
  select make_interval(hours => n), n || case n when 1 then ' hour' else ' hours' end,
    case n when 1 then '0 * * * *' when 24 then '0 0 * * *' else format('0 */%s * * *', n) end
  from unnest(array[1, 2, 3, 4, 6, 8, 12, 24]) n
$$;
comment on function imago.cron_intervals() is 'Every interval that pg_cron can keep, with its name and its schedule.';

create or replace function imago.forget_runs(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Rows of batches, and of the log, that one call drops at most; the next run drops more.
  room integer := 20000;
  dropped integer;
  kept record;
  old imago.run;
  heir bigint;
  newest constant bigint := (imago.last_run(plan_name)).id;
  synced constant bigint := (
    select max(r.id) from imago.run r
    where r.plan = plan_name and r.direction = 'forward' and r.validation is null and r.started_at is not null);
  taken_back constant bigint := (
    select max(r.id) from imago.run r where r.plan = plan_name and r.direction = 'rollback' and r.state = 'succeeded');
begin
  -- Fixes of one validation count as one, although each call has a run of its own.
  select min(g.first) as run, count(*) as runs into kept
  from (
    select min(r.id) as first from imago.run r where r.plan = plan_name
    group by coalesce('fixes of ' || r.validation, r.id::text) order by max(r.id) desc limit imago.setting_number('kept_runs')
  ) g;
  for old in
    select r.* from imago.run r
    where r.plan = plan_name and r.id < kept.run and r.finished_at is not null
      -- That something was moved without a journal is not forgotten, nor what the last walk of a large table has counted.
      and (r.backup or exists (
        select from imago.run n join imago.batch b on b.run = n.id and b.moved > 0 where n.plan = r.plan and not n.backup and n.id > r.id))
      and not exists (
        select from imago.run_stage t where t.run = r.id and t.counted is not null and not exists (
          select from imago.run n join imago.run_stage s on s.run = n.id where n.plan = r.plan and s.stage = t.stage and s.counted is not null and n.id > r.id))
    order by r.id limit 100
  loop
    delete from imago.batch b where b.id in (
      select o.id from imago.batch o where o.run = old.id and o.path <> 'window' order by o.id limit room);
    get diagnostics dropped = row_count;
    room := room - dropped;
    exit when room <= 0;
    if old.validation is null and old.id > coalesce(taken_back, 0) then
      heir := (
        select min(r.id) from imago.run r
        where r.plan = plan_name and r.direction = old.direction and r.validation is null and r.id >= kept.run and r.id < newest);
      continue when heir is null;
      insert into imago.lane as l (run, stage, pass, number, moved, done)
      select heir, s.stage, 'late', 0, imago.moved_by_runs(plan_name, old.direction, s.stage, old.id - 1, old.id), true
      from (select distinct b.stage from imago.lane b where b.run = old.id union select 1) s
      on conflict on constraint lane_pkey do update set moved = l.moved + excluded.moved;
    end if;
    delete from imago.batch b where b.run = old.id;
    delete from imago.run r where r.id = old.id;
  end loop;
  delete from imago.log l where l.id in (
    select o.id from (select n.id, n.created_at from imago.log n where n.plan = plan_name order by n.id limit 20000) o
    where kept.runs = imago.setting_number('kept_runs') and o.created_at < (select r.created_at from imago.run r where r.id = kept.run));
  -- Each write of the app that a sync has followed is a batch, as long as the plan is not finalized.
  delete from imago.batch b where b.id in (
    select o.id from imago.batch o
    where o.run = synced and o.path = 'sync' and o.id <= (
      select s.id from imago.batch s where s.run = synced and s.path = 'sync' order by s.id desc offset imago.setting_number('kept_syncs') limit 1)
    order by o.id limit 20000);
end
$$;
comment on function imago.forget_runs(text) is 'Drops the runs of a plan but for the newest kept_runs, with their lanes, batches and lines of the log. What figures still need of a run, how many it has moved since everything was last taken back, goes to the oldest run that stays (late lane 0). Of a run''s batches by syncs the newest kept_syncs stay.';

create or replace function imago.run_mark(run imago.run)
returns text
language sql
volatile
set search_path = ''
as $$
  select md5(concat_ws('|',
    (select string_agg(to_jsonb(l) - 'updated_at' #>> '{}', ',' order by l.stage, l.pass, l.number) from imago.lane l where l.run = run.id),
    (select format('%s %s', count(*), max(f.id)) from imago.failure f where f.plan = run.plan),
    (select string_agg(to_jsonb(i) #>> '{}', ',' order by i.validation, i.position)
     from imago.validation v join imago.validation_check i on i.validation = v.id where v.run = run.id),
    (select count(*) from imago.plan_step s where s.plan = run.plan and s.done_at is not null)))
$$;
comment on function imago.run_mark(imago.run) is 'A fingerprint of all by which one sees that a run gets on.';

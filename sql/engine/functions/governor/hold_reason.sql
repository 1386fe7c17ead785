create or replace function imago.hold_reason(plan text)
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    (select string_agg(imago.reading_text(r), '; ' order by s.position)
     from imago.reading r join imago.signal s on s.name = r.signal where r.plan = g.plan and r.holds and r.since is not null),
    'what held the run has passed; it goes on in a moment')
  from imago.governor g where g.plan = hold_reason.plan and g.share = 0
$$;
comment on function imago.hold_reason(text) is 'Why the runs of a plan are held, in words; null where they are not.';

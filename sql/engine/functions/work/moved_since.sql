create or replace function imago.moved_since(run imago.run, since timestamptz)
returns boolean
language sql
volatile
set search_path = ''
as $$
  select exists (select from imago.batch b where b.run = moved_since.run.id and b.moved > 0 and b.created_at >= since)
$$;
comment on function imago.moved_since(imago.run, timestamptz) is 'Whether a run has moved anybody since a moment.';

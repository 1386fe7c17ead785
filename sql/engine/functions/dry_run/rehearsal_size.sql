create or replace function imago.rehearsal_size(size integer, step jsonb)
returns integer
language sql
stable
set search_path = ''
as $$
  -- That looking takes no time says nothing of moving: up to 500 at once may be looked at, more only where so many were moved.
  select least(imago.next_size(size, w.took, null), greatest(500, imago.next_size(w.moved, w.took, null)))
  from (
    select ceil((step ->> 'migrated')::numeric / b.batches)::integer as moved,
      make_interval(secs => (step ->> 'duration_ms')::numeric / b.batches / 1000) as took
    from (select greatest(1, (step ->> 'sub_batches')::numeric) as batches) b
  ) w
$$;
comment on function imago.rehearsal_size(integer, jsonb) is 'How many at once the next call of a rehearsal takes, by what the last one has moved.';

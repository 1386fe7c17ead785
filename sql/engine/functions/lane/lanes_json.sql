create or replace function imago.lanes_json(run_id bigint)
returns jsonb
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  return (
    select coalesce(jsonb_agg(imago.stage_label(l.stage) || jsonb_build_object(
      'pass', l.pass, 'number', l.number, 'processed', l.processed, 'moved', l.moved, 'failed', l.failed, 'batch_size', l.batch_size, 'done', l.done)
      order by l.stage, l.pass desc, l.number), '[]')
    from imago.lane l where l.run = run_id);
end
$$;
comment on function imago.lanes_json(bigint) is 'The lanes of a run, with what was done of each; none of their keys.';

create or replace function imago.save_lane(lane imago.lane, plan_name text, total imago.moves)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  update imago.lane l set
    cursor_key = lane.cursor_key, batch_size = lane.batch_size, processed = lane.processed, moved = l.moved + total.moved,
    failed = l.failed + total.failed, deferrals = lane.deferrals, done = lane.done,
    entity_ms = lane.entity_ms, entity_wal = lane.entity_wal, written = lane.written, updated_at = clock_timestamp()
  where l.run = lane.run and l.stage = lane.stage and l.pass = lane.pass and l.number = lane.number;
  if total.outcome in ('timeout', 'deferred') then
    perform imago.write_log(plan_name, lane.run, 'warning', total.outcome,
      jsonb_build_object('lane', lane.number, 'pass', lane.pass, 'batch_size', lane.batch_size, 'deferrals', lane.deferrals)
        || imago.stage_label(lane.stage),
      null, coalesce(total.sqlstate, '57014'));
  end if;
end
$$;
comment on function imago.save_lane(imago.lane, text, imago.moves) is 'Notes how far a call has come with a lane, whose row the caller holds; what made it stop early is logged.';

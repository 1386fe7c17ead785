create or replace function imago.fix_piece(
  run imago.run,
  plan imago.plan,
  plan_check imago.plan_check,
  item imago.validation_check,
  size integer,
  dry_run boolean,
  deadline timestamptz,
  attempts_left integer,
  out result imago.validation_check,
  out outcome text,
  out attempts integer
)
language plpgsql
volatile
set search_path = ''
as $$
declare
  piece record;
  entities text[] := '{}';
  first_keys text[];
  moves imago.moves;
  counted record;
  until_key text;
  started timestamptz := clock_timestamp();
begin
  result := item;
  outcome := 'done';
  attempts := 0;
  select * into piece from imago.piece_end(plan_check, item.cursor_key, size);
  until_key := piece.last_key;
  result.done := piece.last_key is null;
  if plan_check.fix is not null then
    select t.* into entities, first_keys from imago.fixable_entities(plan_check, plan, item.cursor_key, piece.last_key, dry_run) t;
  end if;
  if entities <> '{}' then
    moves := imago.move_keys(run, plan, entities, 'fix', item.fix_size, deadline, attempts_left, item.deferrals, plan_check);
    attempts := moves.attempts;
    result.fixed := result.fixed + moves.moved;
    result.fixes_failed := result.fixes_failed + moves.failed;
    result.written := imago.add_counts(result.written, moves.rows);
    result.fix_size := case moves.outcome when 'done' then least(1000, 4 * item.fix_size) else greatest(1, moves.next_size) end;
    result.deferrals := case moves.outcome when 'deferred' then item.deferrals + 1 else 0 end;
    if exists (select from imago.failure f where f.run = fix_piece.run.id and f.sqlstate = 'IM026' and f.raised_by is null and f.entity = any (entities)) then
      result.error := imago.error_json('IM026', plan_check.name);
    end if;
    if moves.outcome in ('stop', 'budget') then
      result.error := imago.error_json('IM030', plan_check.name, case moves.outcome when 'budget' then 'IM020'
        else concat_ws('.', moves.sqlstate, nullif(rtrim(moves.error_detail[2], '.'), '')) end);
      result.remaining := greatest(0, result.found - result.fixed);
      result.done := true;
      return;
    end if;
    if moves.outcome <> 'done' then
      -- All that lies before the last entity that is done belongs to entities that are.
      outcome := case moves.outcome when 'deferred' then 'deferred' else 'time' end;
      result.done := false;
      until_key := case when moves.resolved > 0 then first_keys[moves.resolved] end;
      if until_key is null then
        return;
      end if;
      piece.rows := piece.rows * moves.resolved / cardinality(entities);
    end if;
  end if;

  if not dry_run then
    select * into counted from imago.count_piece(plan_check, item.cursor_key, until_key, 0, false);
    result.remaining := result.remaining + counted.amount;
    result.facts := imago.add_counts(result.facts, counted.facts);
  end if;
  result.checked := result.checked + piece.rows;
  result.cursor_key := until_key;
  if outcome = 'done' then
    result.size := imago.next_walk_size(size, extract(epoch from clock_timestamp() - started) * 1000);
  end if;
  if result.done then
    result.total := greatest(1, result.checked);
  end if;
end
$$;
comment on function imago.fix_piece(imago.run, imago.plan, imago.plan_check, imago.validation_check, integer, boolean, timestamptz, integer, out imago.validation_check, out text, out integer) is 'Fixes what one piece of a check has found, as far as time allows, and counts what remains of it.';

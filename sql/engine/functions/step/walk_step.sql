create or replace function imago.walk_step(step imago.plan_step)
returns jsonb
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  key constant record := imago.walked_key(step.source);
  max_ms constant integer := 2000;
  deadline timestamptz := imago.call_deadline(max_ms);
  began timestamptz;
  keys text[];
  size integer;
  said text;
  warnings jsonb := '[]';
  done bigint := 0;
begin
  loop
    began := clock_timestamp();
    size := imago.walk_size(step.size, deadline - began);
    begin
      keys := imago.walk_keys(step.source, key.name, key.type, step.cursor_key, null, size);
      if keys is not null then
        perform set_config('search_path', imago.app_search_path(), true);
        execute format('select %I.%I($1::%s[])', step.plan, step.routine, key.type) into said using keys;
        set constraints all immediate;
        perform pg_catalog.set_config('search_path', '', true);
      end if;
    exception
      when lock_not_available or deadlock_detected then
        -- What earlier pieces did stays.
        if done = 0 then
          raise;
        end if;
        exit;
      when query_canceled then
        if size = 1 or not imago.timed_out() then
          raise;
        end if;
        step.size := imago.size_after_timeout(size);
        exit;
    end;
    warnings := warnings || case when said like '{%' then coalesce(said::jsonb -> 'warnings', '[]') else '[]' end;
    if coalesce(cardinality(keys), 0) < size then
      update imago.plan_step s set done_at = clock_timestamp(), cursor_key = null, walked = 0
      where s.plan = step.plan and s.position = step.position;
      return jsonb_build_object('has_more', false, 'warnings', warnings);
    end if;
    done := done + size;
    step.cursor_key := keys[size];
    step.size := imago.next_walk_size(size, extract(epoch from clock_timestamp() - began) * 1000, imago.setting_number('hold_ms'));
    -- Nobody waits for longer than a piece takes.
    exit when clock_timestamp() >= deadline or imago.is_waited_for();
  end loop;
  done := step.walked + done;
  update imago.plan_step s set cursor_key = step.cursor_key, size = step.size, walked = done
  where s.plan = step.plan and s.position = step.position;
  return jsonb_build_object('has_more', true, 'warnings', warnings,
    'percentage', least(99, 100 * done / greatest(1, done, imago.estimated_rows(step.source))));
end
$$;
comment on function imago.walk_step(imago.plan_step) is 'One call''s worth of a step that walks: hands the rows of its source to the routine by key, piece after piece. Goes as far as time allows; the next call goes on behind the last one. Each piece is whole or not at all.';

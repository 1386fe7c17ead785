create or replace function imago.prepare_step(plan_name text, run_id bigint default null)
returns jsonb
language plpgsql
volatile
set search_path = ''
set lock_timeout = '4s'
as $$
declare
  plan imago.plan;
  step imago.plan_step;
  write imago.plan_write;
  sync imago.plan_sync;
  problems jsonb;
  name text;
  context text;
  raiser record;
  walk record;
  relation text;
  broken text;
  started timestamptz;
  held jsonb;
begin
  perform imago.find_plan(plan_name);
  perform imago.expect_session();
  if (imago.find_plan(plan_name)).prepared_at is not null then
    return imago.prepare_answer(plan_name, null, 'prepared');
  elsif imago.read_only_reason() is not null then
    return imago.prepare_answer(plan_name, null, 'waiting') || imago.waiting_fields();
  end if;
  begin
    perform set_config('lock_timeout', imago.setting_number('state_lock_timeout_ms')::text, true);
    select p.* into plan from imago.plan p where p.name = plan_name for update;
    if plan.prepared_at is not null then
      return imago.prepare_answer(plan_name, null, 'prepared');
    end if;
    if not exists (select from imago.plan_step s where s.plan = plan_name and s.phase = 'prepare' and s.done_at is not null) then
      select jsonb_agg(to_jsonb(p)) into problems from imago.preflight(plan) p;
      perform imago.expect_no_problems(plan_name, problems);
      perform imago.write_log(plan_name, null, case p ->> 'severity' when 'notice' then 'info' else 'warning' end, 'preflight', p) from jsonb_array_elements(problems) p;
      -- The types by which the entities are keyed.
      update imago.plan p set key_type = imago.found_key_type(p) where p.name = plan_name;
      update imago.plan_stage t set key_type = (select imago.found_key_type(imago.plan_at_stage(p, t.number)) from imago.plan p where p.name = plan_name) where t.plan = plan_name;
    end if;
  exception when lock_not_available or deadlock_detected then
    return imago.prepare_answer(plan_name, null, 'busy');
  end;

  started := clock_timestamp();
  begin
    perform set_config('lock_timeout', imago.setting_number('ddl_lock_timeout_ms')::text, true);
    select s.* into step from imago.plan_step s where s.plan = plan_name and s.phase = 'prepare' and s.done_at is null order by s.position limit 1;
    if found then
      name := step.name;
      perform imago.run_step(step);
    else
      select w.* into write from imago.plan_write w where w.plan = plan_name and w.captured_at is null order by w.position limit 1;
      if found then
        name := 'journal ' || write.relation;
        if write.undo_table is not null then
          -- Of a run before. What the app writes comes to its journal (keys that change) with the table locked: so do we.
          execute format('lock table %s in share row exclusive mode', write.relation);
        end if;
        perform imago.install_undo(write.id);
        perform imago.install_capture(write.id);
      else
        select s.* into sync from imago.plan_sync s where s.plan = plan_name and s.installed_at is null order by s.position limit 1;
        if found then
          name := 'sync ' || sync.name;
          perform imago.install_sync(plan_name, sync.position);
        else
          select o.* into walk from imago.walked_only(plan_name) o where not o.is_installed limit 1;
          if found then
            name := 'keys of ' || walk.relation;
            perform imago.install_walk(plan_name, walk.stage, walk.relation);
          else
            name := 'statistics';
            perform imago.expect_comparable_keys(imago.find_plan(plan_name));
            perform imago.ensure_statistics(plan_name);
            perform imago.note_schema(plan_name);
            perform imago.build_captures(plan_name);
            update imago.plan p set
              prepared_at = clock_timestamp(),
              bytes_before = (select coalesce(jsonb_object_agg(t.relation::text, t.bytes), '{}') from imago.table_states(p) t)
            where p.name = plan_name;
          end if;
        end if;
      end if;
    end if;
  exception when lock_not_available or deadlock_detected then
    perform imago.write_log(plan_name, null, 'warning', 'prepare_deferred', jsonb_build_object('step', name), null, '55P03');
    return imago.prepare_answer(plan_name, name, 'busy');
  when query_canceled or others or assert_failure then
    get stacked diagnostics context = pg_exception_context, relation = table_name, broken = constraint_name;
    raiser := imago.find_raiser(context, sqlstate, plan_name);
    -- What passes by itself, or has to do with the caller, is no fault of the step.
    if sqlstate like 'IM%' and not raiser.by_app or left(sqlstate, 2) in ('40', '53', '57') then
      raise;
    end if;
    return imago.fail_prepare(plan_name, run_id, name,
      concat_ws(', ', imago.sqlstate_text(sqlstate, raiser.raised_by), nullif(relation, ''), nullif(broken, '')));
  end;
  held := imago.held_ms(started);
  perform imago.write_log(plan_name, null, 'info', 'prepare', jsonb_build_object('step', name) || held);
  return imago.prepare_answer(plan_name, name, 'preparing') || held;
end
$$;
comment on function imago.prepare_step(text, bigint) is 'Does the next prepare step of a plan. Its own steps in order, then the journal of each write, then its syncs, then what follows keys, then statistics. One relation a call, with a short lock timeout.';

create or replace function imago_fleet.start_rollout(kind text, plan text, options jsonb)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
  open_one imago_fleet.rollout;
  made bigint;
  wanted text[] := array(select pg_catalog.jsonb_array_elements_text(options -> 'members'));
  wanted_labels text[] := array(select pg_catalog.jsonb_array_elements_text(options -> 'labels'));
  wave_names text[] := array(select pg_catalog.jsonb_array_elements_text(options -> 'waves'));
  chosen text[];
  left_over text[];
  part text[];
  said text;
  number integer := 0;
begin
  -- Two that begin at once: the second finds what the first has begun.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('imago_fleet start', 0));
  select * into open_one from imago_fleet.rollout r
  where r.plan is not distinct from start_rollout.plan and r.state in ('running', 'paused', 'stopped');
  if found then
    if open_one.kind = start_rollout.kind and open_one.options = start_rollout.options then
      return pg_catalog.jsonb_build_object('rollout', open_one.id, 'joined', true);
    end if;
    if start_rollout.kind = 'rollback' and open_one.kind = 'migrate' and open_one.state <> 'running' then
      update imago_fleet.rollout r set state = 'cancelled', ended_at = pg_catalog.clock_timestamp() where r.id = open_one.id;
      perform imago_fleet.note(open_one.id, 'cancelled', 'a rollback takes its place');
    else
      perform imago_fleet.refuse('FL002',
        pg_catalog.format('Rollout %s (%s) is %s, and was begun with other options.',
          open_one.id, concat_ws(' ', open_one.kind, open_one.plan), open_one.state),
        'Join it with the options that it has (imago fleet status shows them), or end it first: imago fleet cancel.');
    end if;
  end if;

  select array_agg(said_name) into left_over from unnest(wanted) said_name
  where not exists (select from imago_fleet.member m where m.name = said_name);
  if left_over is not null then
    perform imago_fleet.refuse('FL004', pg_catalog.format('There is no member %s.', left_over[1]), 'imago fleet list shows them.');
  end if;
  chosen := array(
    select m.name from imago_fleet.member m
    where (wanted = '{}' or m.name = any (wanted)) and m.labels @> wanted_labels
    order by pg_catalog.md5(m.name));
  if chosen = '{}' then
    perform imago_fleet.refuse('FL004', 'No member is chosen.', 'Add some with imago fleet add, or choose others; imago fleet list shows them.');
  end if;

  insert into imago_fleet.rollout (kind, plan, options, stop_percent)
  values (start_rollout.kind, start_rollout.plan, start_rollout.options, (options ->> 'stop_percent')::numeric)
  returning id into made;
  left_over := chosen;
  foreach said in array wave_names loop
    if said like '%!%' escape '!' then
      -- Of all, so that 10%,100% are a tenth and the rest. A member with a named wave waits for it.
      part := array(
        select m.name from imago_fleet.member m
        where m.name = any (left_over) and (m.wave is null or m.wave <> all (wave_names))
        order by pg_catalog.md5(m.name)
        limit greatest(0, ceil(cardinality(chosen) * pg_catalog.rtrim(said, '%')::numeric / 100)::integer
          - (cardinality(chosen) - cardinality(left_over))));
      continue when part = '{}';
    else
      part := array(
        select m.name from imago_fleet.member m
        where m.name = any (left_over) and m.wave = said order by pg_catalog.md5(m.name));
      if part = '{}' then
        perform imago_fleet.refuse('FL005', pg_catalog.format('The wave %s has no members.', said),
          pg_catalog.format('Put some into it: imago fleet add NAME --wave %s. A percentage has its %% sign.', said));
      end if;
    end if;
    number := number + 1;
    insert into imago_fleet.wave (rollout, number, name) values (made, number, said);
    insert into imago_fleet.rollout_member (rollout, member, wave) select made, p, number from unnest(part) p;
    left_over := array(select l from unnest(left_over) l where l <> all (part));
  end loop;
  if number = 0 then
    perform imago_fleet.refuse('FL005', 'The waves take no member.', 'Leave --wave out, or end it with 100%.');
  end if;
  update imago_fleet.wave w set state = 'running', begun_at = pg_catalog.clock_timestamp() where w.rollout = made and w.number = 1;
  perform imago_fleet.note(made, 'begun', pg_catalog.format('%s members in %s waves', cardinality(chosen) - cardinality(left_over), number));
  notify imago_fleet;
  return pg_catalog.jsonb_build_object('rollout', made, 'joined', false, 'outside', cardinality(left_over));
end
$$;

comment on function imago_fleet.start_rollout(text, text, jsonb) is 'Begins a rollout, or joins the open one that has the same options; refuses beside one with others.';

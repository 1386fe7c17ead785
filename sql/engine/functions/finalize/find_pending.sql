create or replace function imago.find_pending(
  plan imago.plan,
  deadline timestamptz,
  from_stage integer default 1,
  after_key text default null,
  out pending text[],
  out next_stage integer,
  out next_key text
)
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
  most constant integer := 1000;
  staged imago.plan;
  keys text[];
  found_keys text[];
  size integer := 100;
  piece integer;
  began timestamptz;
  looked boolean := false;
  context text;
begin
  pending := '{}';
  next_stage := from_stage;
  next_key := after_key;
  if plan.prepared_at is null then
    return;
  end if;
  for staged in select s.* from imago.plan_stages(plan) s where s.stage >= next_stage order by s.stage loop
    if staged.stage > next_stage then
      next_stage := staged.stage;
      next_key := null;
    end if;
    loop
      began := clock_timestamp();
      piece := imago.walk_size(size, deadline - began);
      begin
        keys := imago.walk_keys(
          staged.source, staged.key_column, staged.key_type, next_key, null, piece);
        found_keys := array(
          select k from unnest(imago.pending_keys(staged, keys)) k
          where k not in (select imago.set_aside_keys(plan.name, 'forward', stage => staged.stage)));
      exception
        when query_canceled then
          if not imago.timed_out() then
            raise;
          end if;
          if not looked then
            perform imago.raise_error('IM041', 'what is pending', plan.name, '57014');
          end if;
          return;
        when others or assert_failure then
          get stacked diagnostics context = pg_exception_context;
          perform imago.raise_unreadable(plan.name, 'view ' || imago.plan_object(staged, 'pending'), sqlstate, context);
          raise;
      end;
      exit when keys is null;
      pending := pending || found_keys;
      next_key := keys[cardinality(keys)];
      if cardinality(pending) >= most or clock_timestamp() >= deadline then
        pending := pending[:most];
        return;
      end if;
      looked := true;
      size := imago.next_walk_size(piece, extract(epoch from clock_timestamp() - began) * 1000);
    end loop;
  end loop;
  next_stage := (select max(s.stage) + 1 from imago.plan_stages(plan) s);
  next_key := null;
end
$$;
comment on function imago.find_pending(imago.plan, timestamptz, integer, text, out text[], out integer, out text) is 'One call''s worth of looking for entities that are pending and not set aside, at most 1,000. Begins in from_stage behind after_key and says where it has come: the stage past the last one when it is through.';

create or replace function imago.read_pace(governor imago.governor, run imago.run)
returns imago.measurement[]
language plpgsql
volatile
set search_path = ''
as $$
begin
  return array(
    select row('pace', '', avg(l.entity_ms), governor.usual_entity_ms)::imago.measurement
    from (
      select l.entity_ms from imago.lane l
      where l.run = run.id and l.entity_ms is not null
      order by l.updated_at desc limit 8
    ) l
    having avg(l.entity_ms) is not null);
end
$$;
comment on function imago.read_pace(imago.governor, imago.run) is 'Signal pace: milliseconds that an entity took lately, and what it usually took.';

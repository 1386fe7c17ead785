create or replace function imago.count_set_aside(
  plan_name text,
  direction text default null,
  stage integer default null,
  out failed bigint,
  out unreachable bigint,
  out held bigint,
  out conflicts bigint,
  out unmoved bigint
)
language plpgsql
stable
set search_path = ''
-- Not plain SQL, which would be planned again at each of the many calls of a batch.
as $$
begin
  with aside as (
    select f.stage, f.entity, f.kind, coalesce(f.direction = count_set_aside.direction, true) as of_direction
    from imago.failure f
    where f.plan = plan_name and (count_set_aside.stage is null or f.stage = count_set_aside.stage)
  )
  select
    count(distinct (a.stage, a.entity)) filter (where a.kind in ('failed', 'deferred', 'too_large', 'unreachable') and a.of_direction),
    count(distinct (a.stage, a.entity)) filter (where a.kind = 'unreachable' and a.of_direction),
    count(distinct (a.stage, a.entity)) filter (where a.kind = 'held'),
    count(distinct (a.stage, a.entity)) filter (where a.kind = 'conflict'),
    count(distinct (a.stage, a.entity)) filter (where a.kind not in ('held', 'forgotten') and a.of_direction)
  into failed, unreachable, held, conflicts, unmoved
  from aside a;
end
$$;
comment on function imago.count_set_aside(text, text, integer, out bigint, out bigint, out bigint, out bigint, out bigint) is 'Counts entities that are set aside, by kind, of all stages or one. failed has those that are deferred, too large or unreachable, too; unreachable is of them. Unmoved are those for which a run of this direction cannot succeed. Of a direction only what failed in it counts.';

create or replace function public.throttle_migration(
  plan text default 'avatars',
  hours text default null,
  max_per_second integer default null,
  throttle_query text default null,
  ignore text[] default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.throttle_plan(plan, hours, max_per_second, throttle_query, ignore);
end
$$;
comment on function public.throttle_migration(text, text, integer, text, text[]) is 'Imago: says when and how fast the runs of a plan may work. It holds for every run, no matter who drives it, until it is changed. What is left out stays as it is; an empty text, 0 and an empty array take a limit back.

hours: 22:00-06:00, with a time zone behind it if it is not UTC. max_per_second: entities that all callers together move. throttle_query: SQL with one boolean, true while runs shall wait. ignore: signals of imago.signal that the governor does not look at.';

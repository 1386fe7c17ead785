create or replace function imago_fleet.target(member text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
  if not exists (select from imago_fleet.member m where m.name = target.member) then
    perform imago_fleet.refuse('FL004', pg_catalog.format('There is no member %s.', target.member), 'imago fleet list shows them.');
  end if;
  return (
    select pg_catalog.jsonb_build_object(
      'rollout', r.id, 'kind', r.kind, 'plan', r.plan, 'options', r.options,
      'member', pg_catalog.jsonb_build_object(
        'name', m.name, 'kind', m.kind, 'url', m.url, 'secret_kind', m.secret_kind, 'secret_name', m.secret_name))
    from imago_fleet.rollout_member x
    join imago_fleet.rollout r on r.id = x.rollout
    join imago_fleet.member m on m.name = x.member
    where x.member = target.member and x.state = 'working' and x.task = 'move' and r.state = 'running' and r.kind <> 'push'
    limit 1);
end
$$;

comment on function imago_fleet.target(text) is 'The rollout that a worker has a member in hand for, for others that help with it; null: nobody has it in hand.';
